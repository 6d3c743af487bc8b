//! The names by which contact data is known: tables, and how they are looked up.
//!
//! Names are in lower case, without accents and without what stands between words. Languages are those of the
//! larger markets of online shops.

/// What a name says is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// An e-mail address.
    Email,
    /// A phone number, or another number of a person's: a passport's, a tax number.
    Number,
    /// The number of a payment card.
    Card,
    /// A name, or a street.
    Words,
    /// An address, often an object.
    Address,
    /// A date of birth.
    Birth,
    /// A password or the like.
    Secret,
    /// Somebody who gets something, by name; what an object of them holds is told by the names in it.
    Recipient,
    /// Somebody to turn to, by name or number, or only the way in which: `phone`, `form`.
    Contact,
    /// A part of a name, in an object of a person: `first`.
    NamePart,
    /// `name` alone: the person's where other things of a person stand, else that of a product or a plan.
    BareName,
    /// Another thing that is called so: the address of a machine.
    Harmless,
}

/// Where in a key a name has to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// At its end, whatever stands before: `work_phone`.
    End,
    /// Alone, or behind words that say whose it is: `tel`, `customer_tel`, but not `model_tel`.
    Whole,
}

type Group = (Says, Scope, &'static [&'static str]);

#[rustfmt::skip] // One name a line is seven hundred lines.
const GROUPS: [Group; 18] = [
    (Says::Email, Scope::End, &[
        "email", "emails", "emailaddress", "emailaddresses", "emailaddr", "mailaddress", "emailid",
        "adressemail", "adresseemail", "adresemail", "correo", "correoelectronico", "courriel",
        "emailadresse", "emailadres", "mailadresse", "eposta", "epost", "epostadresse", "epostadress",
        "postaelettronica", "indirizzoemail", "enderecoemail", "surel", "почта", "электроннаяпочта", "емеил",
        "имеил", "邮箱", "邮件", "电子邮件", "电子邮箱", "メール", "メールアドレス", "이메일", "이메일주소", "이멜",
    ]),
    (Says::Email, Scope::Whole, &[
        "em", "mail", "mails",
    ]),
    (Says::Number, Scope::End, &[
        "phone", "phones", "phonenumber", "phonenumbers", "phoneno", "phonenum", "phonenr", "telephone",
        "telephonenumber", "telephoneno", "telno", "telnr", "telnumber", "mobilephone", "mobilenumber",
        "mobileno", "mobnumber", "mobno", "cellphone", "cellnumber", "contactnumber", "contactno",
        "landline", "msisdn", "faxnumber", "whatsapp", "whatsappnumber", "whatsappno", "wanumber", "waid",
        "viber", "wechat", "telefon", "telefonnummer", "telefonnr", "rufnummer", "handy", "handynummer",
        "handynr", "festnetz", "mobilnummer", "mobiltelefon", "mobilfunk", "telefono", "telefonos",
        "numerotelefono", "numerodetelefono", "celular", "celulares", "numerocelular", "movil",
        "numeromovil", "telefone", "telefones", "numerotelefone", "numerodetelefone", "fone",
        "numerotelephone", "numerodetelephone", "telefonoportable", "portable", "cellulare",
        "numerocellulare", "telefoon", "telefoonnummer", "mobiel", "mobielnummer", "numertelefonu",
        "nrtelefonu", "komorka", "ceptelefonu", "ceptel", "telefonnumarasi", "telefonno", "gsmno",
        "gsmnumarasi", "nomorhp", "nohp", "nomortelepon", "telepon", "notelp", "nowa", "nomorwa",
        "telefonnumber", "dienthoai", "sodienthoai", "телефон", "номертелефона", "мобильныи", "电话", "电话号码",
        "手机", "手机号", "手机号码", "電話", "電話番号", "携帯", "携帯番号", "携帯電話", "携帯電話番号", "전화", "전화번호", "휴대폰", "휴대폰번호",
        "휴대전화", "핸드폰", "연락처",
    ]),
    (Says::Number, Scope::Whole, &[
        "ph", "tel", "tels", "mobile", "mobiles", "mob", "cell", "mobil", "gsm", "fax", "wa", "sdt", "hp",
        "login", "loginid", "тел",
    ]),
    (Says::Number, Scope::End, &[
        "ssn", "socialsecurity", "socialsecuritynumber", "nationalid", "nationalidnumber",
        "nationalinsurance", "passport", "passportnumber", "passportno", "idcardnumber", "drivinglicense",
        "driverslicense", "driverlicense", "reisepass", "reisepassnummer", "passnummer", "ausweisnummer",
        "steuerid", "steuernummer", "pasaporte", "numeropasaporte", "passaporte", "passaporto", "passeport",
        "paspoort", "paspoortnummer", "paszport", "pasaport", "паспорт", "cpf", "curp", "dni", "cedula",
        "codicefiscale", "numerosecu", "pesel", "tckn", "tckimlik", "tckimlikno", "kimlikno", "aadhaar",
        "aadhar", "aadhaarnumber", "nik", "noktp", "bsn", "personnummer", "fodselsnummer", "снилс", "инн",
        "护照", "护照号", "护照号码", "身份证", "身份证号", "身份证号码", "旅券番号", "マイナンバー", "パスポート", "여권번호", "주민등록번호", "iban",
        "ibannumber", "bankaccount", "bankaccountnumber", "kontonummer",
    ]),
    (Says::Number, Scope::Whole, &[
        "nif", "nie", "nino", "rg", "ktp",
    ]),
    (Says::Card, Scope::End, &[
        "card", "cards", "cardnumber", "cardno", "creditcard", "creditcardnumber", "debitcard", "ccnumber",
        "ccnum", "kreditkarte", "kreditkartennummer", "kartennummer", "karte", "tarjeta", "numerotarjeta",
        "numerodetarjeta", "tarjetacredito", "cartao", "numerocartao", "numerodocartao", "carte",
        "cartebancaire", "cartebleue", "numerocarte", "carta", "cartadicredito", "numerocarta", "kaart",
        "kaartnummer", "karta", "numerkarty", "kart", "kartno", "kartnumarasi", "карта", "номеркарты", "银行卡",
        "卡号", "カード番号", "카드번호",
    ]),
    (Says::Card, Scope::Whole, &[
        "cc", "pan",
    ]),
    (Says::Words, Scope::End, &[
        "firstname", "lastname", "fullname", "surname", "givenname", "familyname", "middlename",
        "maidenname", "fname", "lname", "mname", "firstnames", "lastnames", "cardholder", "cardholdername",
        "nameoncard", "holdername", "contactname", "recipientname", "vorname", "nachname", "familienname",
        "vornamen", "vollername", "prenom", "prenoms", "nomcomplet", "nomfamille", "nomdefamille", "nombres",
        "nombrecompleto", "primernombre", "apellido", "apellidos", "primerapellido", "segundoapellido",
        "cognome", "nomecompleto", "nomecognome", "nomeecognome", "primeironome", "ultimonome", "sobrenome",
        "voornaam", "achternaam", "volledigenaam", "imie", "nazwisko", "imienazwisko", "imieinazwisko",
        "isim", "soyad", "soyadi", "soyisim", "adsoyad", "adisoyadi", "fornamn", "efternamn", "fornavn",
        "etternavn", "efternavn", "namadepan", "namabelakang", "namalengkap", "jmeno", "prijmeni", "hoten",
        "имя", "фамилия", "отчество", "фио", "姓名", "客户姓名", "收货人", "氏名", "名前", "苗字", "名字", "이름", "성명", "성함",
        "नाम", "पूरानाम", "اسم", "الاسم", "shiptoname", "billtoname", "soldtoname", "delivertoname", "loginname",
        "benutzername", "nombredeusuario", "nomedeusuario", "nomdutilisateur", "nomeutente", "gebruikersnaam",
        "kullaniciadi",
    ]),
    (Says::Recipient, Scope::Whole, &[
        "recipient", "recipients", "consignee", "addressee", "payee", "beneficiary", "empfanger", "empfaenger",
        "destinatario", "destinataire", "ontvanger", "geadresseerde", "odbiorca", "alici", "mottaker",
        "mottagare", "modtager", "penerima", "nguoinhan", "получатель", "收件人", "受取人", "받는사람", "받는분", "수령인",
        "수취인",
    ]),
    (Says::Contact, Scope::Whole, &[
        "contact", "contactperson", "shipto", "billto", "soldto", "deliverto", "attn", "line1", "line2",
        "line3", "kontakt", "kontaktperson", "ansprechpartner", "ansprechpartnerin", "contacto",
        "personadecontacto", "contato", "contatto", "contactpersoon", "контакт", "联系人", "担当者", "담당자",
    ]),
    (Says::NamePart, Scope::Whole, &[
        "first", "last", "middle", "given", "family",
    ]),
    (Says::Words, Scope::Whole, &[
        "fn", "ln",
    ]),
    (Says::BareName, Scope::End, &[
        "name", "names", "nombre", "nom", "nome", "naam", "navn", "namn", "nama",
    ]),
    (Says::Address, Scope::End, &[
        "address", "addresses", "addr", "addressline", "streetaddress", "postaladdress", "mailingaddress",
        "street", "streetname", "streetline", "strasse", "hausnummer", "adresse", "adressen", "anschrift",
        "lieferadresse", "lieferanschrift", "rechnungsadresse", "rechnungsanschrift", "wohnadresse",
        "direccion", "direcciones", "domicilio", "calle", "rue", "adressepostale", "indirizzo", "endereco",
        "logradouro", "rua", "adres", "straat", "straatnaam", "ulica", "adress", "gatuadress", "alamat",
        "diachi", "adresi", "адрес", "улица", "地址", "收货地址", "详细地址", "住所", "番地", "주소", "배송지", "पता", "عنوان",
    ]),
    (Says::Birth, Scope::End, &[
        "dob", "birthdate", "birthday", "dateofbirth", "birthdt", "bday", "geburtsdatum", "geburtstag",
        "gebdatum", "naissance", "datenaissance", "datedenaissance", "fechanacimiento", "fechadenacimiento",
        "nacimiento", "cumpleanos", "datanascimento", "datadenascimento", "nascimento", "datanascita",
        "datadinascita", "nascita", "compleanno", "geboortedatum", "verjaardag", "dataurodzenia", "urodziny",
        "dogumtarihi", "dogumgunu", "tanggallahir", "tgllahir", "fodelsedatum", "fodselsdato", "ngaysinh",
        "датарождения", "деньрождения", "生日", "出生日期", "生年月日", "誕生日", "생일", "생년월일",
    ]),
    (Says::Secret, Scope::End, &[
        "password", "passwd", "pwd", "passwort", "kennwort", "contrasena", "motdepasse", "senha", "haslo",
        "sifre", "wachtwoord", "пароль", "密码", "パスワード", "비밀번호", "cvv", "cvc",
    ]),
    (Says::Harmless, Scope::End, &[
        "ipaddress", "ipaddr", "macaddress", "macaddr", "webaddress", "urladdress", "siteaddress",
        "pageaddress", "walletaddress", "btcaddress", "ethaddress", "contractaddress", "serveraddress",
        "hostaddress", "storeaddress", "shopaddress", "adresseip", "direccionip", "indirizzoip", "ipadresse",
    ]),
];

/// Parts that people have in a sale.
#[rustfmt::skip]
const PERSON: [&str; 51] = [
    "acheteur", "addressee", "ansprechpartner", "beneficiary", "besteller", "billing", "billto", "buyer",
    "client", "cliente", "consignee", "contact", "contacto", "contato", "contatto", "cust", "customer",
    "deliverto", "destinataire", "destinatario", "empfaenger", "empfanger", "guest", "holder", "klant",
    "kontakt", "kunde", "kunden", "kupujacy", "lead", "member", "modtager", "mottagare", "mottaker", "odbiorca",
    "ontvanger", "owner", "parent", "patient", "payee", "payer", "person", "receiver", "recipient", "sender",
    "shipping", "shipto", "soldto", "student", "subscriber", "user",
];

/// What else stands before a phone number or an address.
#[rustfmt::skip]
const OTHER_OWNER: [&str; 11] = [
    "delivery", "home", "invoice", "mobile", "my", "office", "personal", "primary", "private", "work", "your",
];

/// Words behind a name that say which of several it is.
#[rustfmt::skip]
const WHICH: [&str; 33] = [
    "billing", "casa", "clear", "cobranca", "da", "de", "delivery", "di", "do", "e", "entrega", "envio",
    "facturacion", "facturation", "fatturazione", "formatted", "home", "line", "livraison", "lower",
    "lowercase", "main", "normalized", "office", "personal", "plain", "primary", "private", "raw", "secondary",
    "shipping", "spedizione", "work",
];

/// How many names there are.
const COUNT: usize = {
    let mut count = 0;
    let mut at = 0;
    while at < GROUPS.len() {
        count += GROUPS[at].2.len();
        at += 1;
    }
    count
};

const SLOTS: usize = 2_048;

/// Places plus one of `(group, name)`, by [`slot_of`]; 0 is free.
static TABLE: [(u8, u8); SLOTS] = table();

/// Places every name in the first free slot from its own on.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the assertion holds groups and names below 255"
)]
const fn table() -> [(u8, u8); SLOTS] {
    const {
        assert!(
            COUNT < SLOTS / 2,
            "a lookup meets few other names on its way"
        );
    }
    let mut slots = [(0, 0); SLOTS];
    let mut group = 0;
    while group < GROUPS.len() {
        let names = GROUPS[group].2;
        assert!(names.len() < 255);
        let mut name = 0;
        while name < names.len() {
            let mut slot = slot_of(names[name].as_bytes());
            while slots[slot].0 != 0 {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = (group as u8 + 1, name as u8);
            name += 1;
        }
        group += 1;
    }
    slots
}

/// FNV-1a, cut to the number of slots.
const fn slot_of(name: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ (hash >> 15)) as usize % SLOTS
}

/// What a name of the tables says is there, and where it has to stand.
pub(crate) fn find(name: &[u8]) -> Option<(Says, Scope)> {
    let mut slot = slot_of(name);
    loop {
        let (group, at) = TABLE[slot];
        let (says, scope, names) = GROUPS[usize::from(group.checked_sub(1)?)];
        if names[usize::from(at)].as_bytes() == name {
            return Some((says, scope));
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The words of an ordered list that begin with the first letter of a name.
fn near<'w>(words: &'w [&'static str], name: &[u8]) -> impl Iterator<Item = &'w [u8]> {
    let first = name.first().copied().unwrap_or_default();
    let from = words.partition_point(|word| word.as_bytes()[0] < first);
    let words = words[from..].iter().map(|word| word.as_bytes());
    words.take_while(move |word| word[0] == first)
}

/// Whether a word is a person's part in a sale.
pub(crate) fn is_person(word: &[u8]) -> bool {
    near(&PERSON, word).any(|known| known == word)
}

/// Whether a word says whose, or of which of their places, something is.
pub(crate) fn is_owner(word: &[u8]) -> bool {
    is_person(word) || near(&OTHER_OWNER, word).any(|known| known == word)
}

/// What is behind each owner that a name begins with, and whether that is a person.
pub(crate) fn behind_owner(name: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let persons = near(&PERSON, name).map(|owner| (owner, true));
    let owners = persons.chain(near(&OTHER_OWNER, name).map(|owner| (owner, false)));
    owners.filter_map(|(owner, is_person)| Some((name.strip_prefix(owner)?, is_person)))
}

/// Whether a word behind a name says which of several it is.
pub(crate) fn is_which(word: &[u8]) -> bool {
    near(&WHICH, word).any(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact_key::{self, Around};

    #[test]
    fn words_of_names_are_in_order() {
        for words in [&PERSON[..], &OTHER_OWNER, &WHICH] {
            assert!(words.is_sorted() && !words[0].is_empty());
        }
    }

    #[test]
    fn every_name_is_found_in_the_form_in_which_keys_are_folded() {
        let mut seen = std::collections::HashSet::new();
        for (says, scope, names) in GROUPS {
            for name in names {
                assert!(seen.insert(name), "{name} stands here twice");
                assert_eq!(find(name.as_bytes()), Some((says, scope)), "{name}");
                if says != Says::Harmless {
                    assert_eq!(contact_key::of_name(name), Some(says), "{name}");
                }
                // An object of theirs is passed on, and has to be looked into as a person's.
                if matches!(says, Says::Recipient | Says::Contact) {
                    assert_eq!(Around::within(name), Around::Person, "{name}");
                }
            }
        }
        for other in ["", "smartphone", "headphone", "colour", "фон"] {
            assert_eq!(find(other.as_bytes()), None, "{other}");
        }
    }
}
