//! `ge`: `f` or `m`.
//!
//! Besides the letters we read the words and titles that shops and forms store, in the languages of
//! the larger markets. A word that is not in the table is left out, never guessed from its first letter.

use super::text;
use crate::code::Code;

const MALE: [&str; 54] = [
    "m",
    "male",
    "man",
    "men",
    "boy",
    "mr",
    "mister",
    "sir",
    "gentleman",
    "guy",
    "he",
    "him",
    "his",
    "father",
    "dad",
    "son",
    "brother",
    "husband",
    "uncle",
    "grandfather",
    "nephew",
    "king",
    "prince",
    "duke",
    "männlich",
    "maennlich",
    "mann",
    "herr",
    "homme",
    "monsieur",
    "masculin",
    "hombre",
    "varón",
    "varon",
    "señor",
    "masculino",
    "maschio",
    "uomo",
    "signor",
    "signore",
    "homem",
    "senhor",
    "mężczyzna",
    "heer",
    "mand",
    "mies",
    "erkek",
    "мужской",
    "мужчина",
    "男",
    "男性",
    "남",
    "남성",
    "남자",
];

const FEMALE: [&str; 61] = [
    "f",
    "female",
    "woman",
    "women",
    "girl",
    "lady",
    "mrs",
    "ms",
    "miss",
    "madam",
    "maam",
    "she",
    "her",
    "hers",
    "mother",
    "mom",
    "mum",
    "daughter",
    "sister",
    "wife",
    "aunt",
    "grandmother",
    "niece",
    "queen",
    "princess",
    "duchess",
    "weiblich",
    "frau",
    "femme",
    "madame",
    "mme",
    "mlle",
    "mademoiselle",
    "féminin",
    "feminin",
    "mujer",
    "señora",
    "señorita",
    "femenino",
    "femmina",
    "femminile",
    "donna",
    "signora",
    "mulher",
    "senhora",
    "feminino",
    "kobieta",
    "vrouw",
    "mevrouw",
    "kvinde",
    "kvinna",
    "kvinne",
    "nainen",
    "kadın",
    "женский",
    "женщина",
    "女",
    "女性",
    "여",
    "여성",
    "여자",
];

pub(super) fn normalize(value: &str, out: &mut String) -> Result<(), Code> {
    let mut word = String::new();
    text::push_lower_without(value, &mut word, text::is_space_or_punctuation);
    if MALE.contains(&&*word) {
        out.push('m');
    } else if FEMALE.contains(&&*word) {
        out.push('f');
    } else {
        return Err(Code::GeUnknown);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_and_titles() {
        let read = |value: &str| {
            let mut out = String::new();
            normalize(value, &mut out).ok().map(|()| out)
        };
        for (value, expected) in [
            ("M", "m"),
            ("Mr.", "m"),
            ("Herr", "m"),
            ("男", "m"),
            ("FEMALE", "f"),
            ("Ma'am", "f"),
            ("Señora", "f"),
        ] {
            assert_eq!(read(value).as_deref(), Some(expected), "{value}");
        }
        for value in ["non-binary", "x", "diverse", "malefemale", "0", "other"] {
            assert_eq!(read(value), None, "{value}");
        }
        assert!(MALE.iter().all(|word| !FEMALE.contains(word)));
    }
}
