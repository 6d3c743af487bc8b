//! What stands beside an amount and says only which currency it is in.

use crate::money::Currency;

/// On which side of the digits a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// How currencies are written that have neither a sign of their own nor their code there: lower case,
/// without dots and spaces.
const NAMES: &[&str] = &[
    // With a dollar sign.
    "a$",
    "ar$",
    "au$",
    "b$",
    "bd$",
    "bz$",
    "c$",
    "ca$",
    "can$",
    "cl$",
    "cn¥",
    "co$",
    "col$",
    "cu$",
    "ec$",
    "fj$",
    "gy$",
    "hk$",
    "j$",
    "jp¥",
    "l$",
    "mex$",
    "mx$",
    "n$",
    "nt$",
    "nz$",
    "r$",
    "rd$",
    "s$",
    "sg$",
    "tt$",
    "tw$",
    "u$",
    "u$s",
    "us$",
    "$us",
    "$u",
    "uy$",
    "z$",
    // With another sign.
    "e£",
    "£e",
    "gh¢",
    "gh₵",
    "gb£",
    "l£",
    "ll£",
    "r₽",
    // Short forms.
    "b/",
    "bd",
    "bds",
    "bs",
    "bsf",
    "bss",
    "bsd",
    "br",
    "cfa",
    "fcfa",
    "da",
    "dt",
    "dh",
    "dhs",
    "din",
    "eur",
    "fr",
    "frs",
    "ft",
    "frw",
    "fbu",
    "gbp",
    "gs",
    "jd",
    "kč",
    "kc",
    "kčs",
    "kd",
    "km",
    "kn",
    "kr",
    "ks",
    "ksh",
    "kshs",
    "kz",
    "le",
    "lei",
    "leu",
    "lek",
    "lekë",
    "lv",
    "mt",
    "naf",
    "nis",
    "ntd",
    "php",
    "qr",
    "r",
    "rial",
    "rm",
    "rmb",
    "ro",
    "rp",
    "rs",
    "s/",
    "sfr",
    "sr",
    "stg",
    "sh",
    "shs",
    "tk",
    "tl",
    "tsh",
    "tshs",
    "ush",
    "ushs",
    "usd",
    "vnd",
    "vnđ",
    "zk",
    "zl",
    "zł",
    "p/",
    // Words.
    "baht",
    "dinar",
    "dinars",
    "dirham",
    "dirhams",
    "dollar",
    "dollars",
    "dong",
    "đồng",
    "euro",
    "euros",
    "forint",
    "franc",
    "francs",
    "hryvnia",
    "krona",
    "kronor",
    "krone",
    "kroner",
    "koruna",
    "leva",
    "lira",
    "liras",
    "naira",
    "peso",
    "pesos",
    "pound",
    "pounds",
    "rand",
    "reais",
    "real",
    "ringgit",
    "riyal",
    "riyals",
    "rouble",
    "roubles",
    "ruble",
    "rubles",
    "rupee",
    "rupees",
    "rupiah",
    "shilling",
    "shillings",
    "sol",
    "soles",
    "som",
    "so'm",
    "taka",
    "won",
    "yen",
    "yuan",
    "zloty",
    "złoty",
    "złotych",
    "złote",
    // Other scripts.
    "грн",
    "ден",
    "дин",
    "лв",
    "руб",
    "рублей",
    "рубля",
    "рубль",
    "р",
    "тг",
    "тенге",
    "сум",
    "сўм",
    "бр",
    "ευρώ",
    "ש\"ח",
    "ש״ח",
    "שח",
    "元",
    "圆",
    "圓",
    "円",
    "원",
    "บาท",
    "руб/",
    "រៀល",
    "տկ",
    "դր",
    "დრამი",
    "ლარი",
    "टका",
    "রু",
    "টাকা",
    "रु",
    "रू",
    "රු",
    "ரூ",
    "دإ",
    "درهم",
    "رس",
    "ريال",
    "رق",
    "رع",
    "دك",
    "دب",
    "دأ",
    "دا",
    "دينار",
    "جم",
    "جنيه",
    "لل",
    "دم",
    "دج",
    "دت",
    "دع",
    "لس",
    "یال",
    "ریال",
    "روپے",
    "افغانی",
];

/// Single letters and signs that stand for one currency, and elsewhere for something else.
const OF_ONE: &[(&str, Side, &str)] = &[
    ("n", Side::Before, "NGN"),
    ("q", Side::Before, "GTQ"),
    ("l", Side::Before, "HNL"),
    ("l", Side::After, "ALL"),
    ("p", Side::Before, "PHP"),
    ("p", Side::Before, "BWP"),
    ("k", Side::Before, "ZMW"),
    ("k", Side::Before, "PGK"),
    ("k", Side::Before, "MMK"),
    ("d", Side::After, "VND"),
    ("d", Side::Before, "GMD"),
    ("e", Side::Before, "SZL"),
    ("f", Side::After, "XOF"),
    ("f", Side::After, "XAF"),
    ("f", Side::After, "XPF"),
    ("m", Side::Before, "LSL"),
    ("mn", Side::After, "MXN"),
    ("t", Side::After, "MNT"),
    ("¢", Side::Before, "CRC"),
    ("¢", Side::Before, "GHS"),
];

/// Whether what stands beside an amount is nothing, or says only which currency it is in.
pub(super) fn is_currency(text: &str, side: Side, currency: Option<Currency>) -> bool {
    let text = text.trim();
    if text.is_empty() || text.chars().all(|c| is_sign(c) || c.is_whitespace()) {
        return true;
    }
    let is_one = |word: &str| {
        let (word, bare) = (
            word.to_lowercase(),
            word.trim_matches(is_sign).to_lowercase(),
        );
        let is_name = |word: &str| {
            NAMES.contains(&word)
                || Currency::parse(word).is_some()
                || OF_ONE.iter().any(|(name, at, code)| {
                    word == *name && *at == side && currency.is_some_and(|own| own.code() == *code)
                })
        };
        bare.is_empty() || is_name(&word) || is_name(&bare)
    };
    let folded: String = text
        .chars()
        .filter(|c| *c != '.' && !c.is_whitespace())
        .collect();
    is_one(&folded)
        || text
            .split(|c: char| c.is_whitespace() || c == '.')
            .all(is_one)
}

/// A sign that is a currency's. `¢` is none: `50¢` are half a dollar.
fn is_sign(c: char) -> bool {
    matches!(
        c,
        '$' | '£'
            | '¤'
            | '¥'
            | '֏'
            | '؋'
            | '৲'
            | '৳'
            | '৻'
            | '૱'
            | '௹'
            | '฿'
            | '៛'
            | '円'
            | '﷼'
            | '﹩'
            | '＄'
            | '￡'
            | '￥'
            | '￦'
            | 'đ'
            | 'Đ'
            | '\u{20a0}'..='\u{20c1}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_they_are_looked_up() {
        for name in NAMES {
            let folded: String = name
                .to_lowercase()
                .chars()
                .filter(|c| *c != '.' && !c.is_whitespace())
                .collect();
            assert_eq!(folded, *name);
        }
        for (_, _, code) in OF_ONE {
            assert!(Currency::parse(code).is_some(), "{code}");
        }
    }
}
