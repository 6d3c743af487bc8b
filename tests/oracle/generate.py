"""Writes the test corpus as JSON lines: {"field", "value", "country"?}. The same seed gives the same lines."""

import argparse
import hashlib
import json
import random
import sys
import unicodedata
from datetime import date, timedelta

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from words import (
    CITIES, COUNTRY_CODES, COUNTRY_NAMES, FIRST_NAMES, GENDERS, LAST_NAMES,
    PARTICLES, POSTCODES, REGIONS, STATES, SUFFIXES, SYLLABLES, TITLES,
)

NBSP = "\u00a0"
# Spaces that copy and paste leaves round a value; every package trims these.
PADS = [" ", "  ", "\t", "\n", "\r\n", NBSP, "\u3000"]
INVISIBLE = ["\u200b", "\u200e", "\u200f", "\u202a", "\u202c", "\u2060", "\ufeff", "\u00ad"]
PLACEHOLDERS = ["null", "NULL", "(null)", "undefined", "None", "NaN", "n/a", "(not set)", "[object Object]"]
APPENDICES = ["AQQCAQMC", "AQQAAQMD", "AQECAQIB", "AQYCAQMA", "BA", "Bg"]
BLANKS = ["", " ", "   ", "\t", NBSP, "-", "."]


def pad(rng, text):
    return rng.choice([rng.choice(PADS) + text, text + rng.choice(PADS), f" {text} "]) if rng.random() < 0.2 else text


def case(rng, text):
    return rng.choice([text, text, text.lower(), text.upper(), text.title(), text.swapcase()])


def mangle(rng, text):
    """Now and then the marks and decomposed letters which copying from a PDF or a Mac gives."""
    roll = rng.random()
    if roll < 0.05:
        return unicodedata.normalize("NFD", text)
    if roll < 0.07:
        at = rng.randrange(len(text) + 1)
        return text[:at] + rng.choice(INVISIBLE) + text[at:]
    if roll < 0.09:
        return text.replace(" ", NBSP)
    return text


def invented(rng):
    return "".join(rng.choices(SYLLABLES, k=rng.choice([2, 2, 3]))).capitalize()


def hashed(rng):
    text = rng.choice(["", *FIRST_NAMES])
    digest = hashlib.new(rng.choice(["sha256"] * 4 + ["md5"]), text.encode()).hexdigest()
    digest = rng.choice([digest, digest, digest.upper()])
    if rng.random() < 0.3:
        digest += "." + rng.choice(APPENDICES)
    return pad(rng, digest)


def digits(rng, pattern):
    """Fills a pattern in: 9 is a digit, A a letter, _ a space."""
    fill = {"9": "0123456789", "A": "ABCDEFGHJKLMNPRSTUVWXYZ"}
    return "".join(rng.choice(fill[c]) if c in fill else c for c in pattern).replace("_", " ")


def email(rng):
    # Only names reserved for examples: a made-up address elsewhere could be somebody's.
    domain = rng.choice([
        "example.com", "example.org", "example.net", "mail.example.com", "a.b.example.co.uk", "shop-1.example.com",
        "example.museum", "web.example", "xn--bcher-kva.example", "Mail.Example.COM", "test.invalid",
    ])
    plain = [name for name in FIRST_NAMES + LAST_NAMES if name.isascii() and name.isalpha()]
    first, last, number = rng.choice(plain), rng.choice(plain), rng.randrange(1, 2000)
    local = rng.choice([
        first, f"{first}.{last}", f"{first}_{last}", f"{first}-{last}", f"{first[0]}{last}", f"{first}{number}",
        f"{first}.{last}{number}", f"{first}+news", f"{first}.{last}+{number}", f"{number}", f"o'{last}",
        f"{first}%{last}", f"_{first}", f"#!{first}",
    ])
    if rng.random() < 0.08:
        local = rng.choice([f"{first}.", f".{first}", f"{first}..{last}", f'"{first} {last}"', f"{first} {last}"])
    address = f"{case(rng, local)}@{domain}"
    roll = rng.random()
    if roll < 0.05:
        address = rng.choice([
            f"{rng.choice(FIRST_NAMES)}@{domain}", f"{local}@bücher.example", f"{local}@例え.example",
            rng.choice(INVISIBLE) + address, f"mailto:{address}", f"{first} {last} <{address}>", f"{address},",
            f"{address}.", f"{local}@example.c", f"{local}@@{domain}", f"{local}@localhost", f"{local}.{domain}",
            f"{local}@", f"{local}@[203.0.113.9]", f"{local}@-{domain}", f"{local}@exa_mple.com",
            f"{address};{first}@{domain}",
        ])
    return pad(rng, address)


def phones():
    """Google's example numbers of every region, so that no number is anybody's."""
    kinds = [PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE, PhoneNumberType.TOLL_FREE]
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in kinds:
            number = phonenumbers.example_number_for_type(region, kind)
            if number:
                yield region, number


PHONES = list(phones())


def phone(rng):
    region, number = rng.choice(PHONES)
    e164, international, national = (
        phonenumbers.format_number(number, form)
        for form in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
    )
    code, significant = str(number.country_code), phonenumbers.national_significant_number(number)
    spaced = international.split(" ", 1)[-1]
    shapes = [
        e164, e164, international, international, national, national, e164[1:], international[1:], significant,
        "00" + e164[1:], "00 " + international[1:], f"00{code} {spaced}",
        international.replace(" ", "."), international.replace(" ", "-"), international.replace(" ", NBSP),
        international.replace(" ", "\u2011"), international.replace("-", " – "), national.replace(" ", "/"),
        f"+{code} ({significant[:2]}) {significant[2:]}", f"(+{code}) {spaced}", f"+ {code} {spaced}", f"++{e164[1:]}",
        f"tel:{e164}", f"Tel. {international}", f"{international} (mobile)", f"011 {code} {spaced}",
        "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in international),
    ]
    if phonenumbers.PhoneMetadata.metadata_for_region(region).national_prefix == "0":
        shapes += [
            f"+{code} (0) {spaced}", f"+{code}(0){significant}", f"00{code} (0) {spaced}", f"+{code} 0{significant}",
        ]
    text = rng.choice(shapes)
    if rng.random() < 0.08:
        extension = rng.choice([" x{}", " ext. {}", " ext {}", "#{}", ";ext={}", ",{}", " доб. {}"])
        text += extension.format(rng.randrange(10, 9999))
    country = rng.choice([None, None, region, region.lower()])
    if rng.random() < 0.03:
        country = rng.choice(["us", "de", "zz"])
    return mangle(rng, pad(rng, text)), country


def first_name(rng):
    name = rng.choice([invented(rng), rng.choice(FIRST_NAMES).replace("_", " ")])
    if rng.random() < 0.15:
        name += rng.choice(["-", " ", " ", ". "]) + rng.choice(FIRST_NAMES)
    if rng.random() < 0.05:
        name = rng.choice(TITLES) + name
    return pad(rng, mangle(rng, case(rng, name)))


def last_name(rng):
    name = rng.choice([invented(rng), rng.choice(LAST_NAMES).replace("_", " ")])
    if rng.random() < 0.15:
        name += rng.choice(["-", "-", " ", "‐"]) + rng.choice(LAST_NAMES)
    if rng.random() < 0.1:
        name = rng.choice(PARTICLES) + name
    if rng.random() < 0.05:
        name += rng.choice(SUFFIXES)
    return pad(rng, mangle(rng, case(rng, name)))


def birth_date(rng):
    day = date(1900, 1, 1) + timedelta(days=rng.randrange(365 * 112))
    if rng.random() < 0.4:
        return pad(rng, f"{day:%Y%m%d}")
    y, m, d = day.year, day.month, day.day
    text = rng.choice([
        f"{y}-{m:02}-{d:02}", f"{m}/{d}/{y}", f"{m:02}/{d:02}/{y}", f"{d}.{m}.{y}", f"{d:02}.{m:02}.{y}",
        f"{d:02}/{m:02}/{y}", f"{y}/{m}/{d}", f"{y}.{m:02}.{d:02}.", f"{d:02}-{m:02}-{y}",
        f"{m:02}/{d:02}/{y % 100:02}", f"{day:%d %b %Y}", f"{day:%B} {d}, {y}",
        f"{y}-{m:02}-{d:02}T00:00:00Z", f"{y}-{m:02}-{d:02} 00:00:00", f"{y}年{m}月{d}日",
        f"{d:02}{m:02}{y}", f"{m:02}{d:02}{y}", f"{y} {m:02} {d:02}", f"{m}/{d}/{y} (mm/dd/yyyy)", f"{y}",
        f"{d}–{m}–{y}", f"{y + 100}{m:02}{d:02}", f"{y - 100}{m:02}{d:02}", f"{y}02{rng.randrange(28, 33)}",
        f"{y}{rng.randrange(13, 99)}{d:02}",
    ])
    return pad(rng, text)


def city(rng):
    name = rng.choice([invented(rng), rng.choice(CITIES), rng.choice(CITIES)])
    return pad(rng, mangle(rng, case(rng, name + rng.choice([""] * 15 + [" 2", ".", ", USA"]))))


def state(rng):
    code = rng.choice(list(STATES))
    dotted = ".".join(code) + "."
    return pad(rng, mangle(rng, case(rng, rng.choice([code, code, dotted, STATES[code], rng.choice(REGIONS)]))))


def postcode(rng):
    return pad(rng, case(rng, digits(rng, rng.choice(POSTCODES).split(":")[1])))


def country(rng):
    return pad(rng, case(rng, rng.choice(COUNTRY_CODES if rng.random() < 0.7 else COUNTRY_NAMES)))


def external_id(rng):
    number = rng.randrange(10**9)
    return pad(rng, rng.choice([
        str(number), str(number % 1000), f"user-{number}", f"User-{number}", f"CUST_{number:09}", f"user {number}",
        digits(rng, "AA-9999"), f"{rng.getrandbits(128):032x}"[:20], f"gid://shop/Customer/{number}",
        f"kunde-ü{number}",
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}".format(*map(rng.getrandbits, (32, 16, 12, 12, 48))),
        f"member{number}@example.com",
    ]))


def one_of(*texts):
    return lambda rng: pad(rng, case(rng, rng.choice(texts)))


MAKERS = {
    "em": email,
    "ph": phone,
    "fn": first_name,
    "ln": last_name,
    "db": birth_date,
    "ge": one_of(*GENDERS),
    "ct": city,
    "st": state,
    "zp": postcode,
    "country": country,
    "external_id": external_id,
    "f5first": first_name,
    "f5last": last_name,
    "fi": first_name,
    "dobd": one_of(*map(str, range(1, 32)), *(f"{d:02}" for d in range(0, 35)), "1st", "monday"),
    "dobm": one_of(*map(str, range(1, 13)), *(f"{m:02}" for m in range(0, 15)), "feb", "march"),
    "doby": one_of(*map(str, range(1890, 2032)), *(f"{y:02}" for y in range(0, 100, 7)), "19970", "1997ad"),
}

# Values whose treatment is written down in Meta's documents or known to be hard; always in the corpus.
ALWAYS = {
    "em": ["John_Smith@gmail.com", "  JOHN.DOE+Promo@Example.COM \n", "a@b.c", "\u00a0user@example.com\u00a0",
           "ÄÖÜ@Example.de", "user@bücher.example", "not-an-email", "foo bar@example.com"],
    "ph": ["1 (650) 555-1212", "(650)555-1212", "+1 (616) 954-78 88", "+44 844 412 4653", "0044 844 412 4653",
           "+49 (0) 30 1234567", "1-800-FLOWERS", "+1-650-555-1212 ext 99", "١٢٣٤٥٦٧٨٩٠", "123", "000123456789",
           "12345678901234567", "1234567890123456", "0000", "0000000", "+0"],
    "fn": ["Mary", "정", "Valéry", "  Mary-Ann ", "José", "Jose\u0301", "\u0130smail", "Dr. Anna", "D\u2019Angelo",
           "ΓΙΩΡΓΟΣ"],
    "ln": ["Smith", "O'Brien", "van der Berg", "MÜLLER", "St. John-Smythe", "Straße", "Null"],
    "db": ["2/16/1997", "1997-02-16", "16.02.1997", "19970216", "02/16/97", "16 Feb 1997", "31/12/1899", "99999999",
           "00000000"],
    "ge": ["M", "Female", " male ", "Mrs", "non-binary", "woman"],
    "ct": ["New York", "St. Louis", "São Paulo", "Washington, D.C.", "東京", "London SW1"],
    "st": ["CA", "California", "N.Y.", "New South Wales", "West Virginia"],
    "zp": ["94035-1234", "940351234", "M1 1AE", "m11ae", "100-0001", "01310-100", " 75018 ", "1", "-12345"],
    "country": ["US", "United States", "usa", "UK", "Deutschland", "Switzerland", "xx", "na", "NA"],
    "external_id": ["user-42", "User-42", "  user 42 ", "12345", "0"],
    "f5first": ["George"], "f5last": ["Washington"], "fi": ["Abc"],
    "dobd": ["1", "31", "32"], "dobm": ["2", "13"], "doby": ["1997", "97"],
}


def values(field, count, seed):
    # Text seeds do not depend on Python's hash seed, and a field's values not on the other fields.
    rng = random.Random(f"{seed}/{field}")
    found = dict.fromkeys((value, None) for value in ALWAYS[field] + BLANKS + PLACEHOLDERS)
    found.update(dict.fromkeys((hashed(rng), None) for _ in range(count // 20)))
    # Some fields do not have that many different realistic values: stop trying at some point.
    for _ in range(20 * count):
        if len(found) >= count:
            break
        drawn = MAKERS[field](rng)
        found.setdefault(drawn if isinstance(drawn, tuple) else (drawn, None))
    return list(found)[:count]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--per-field", type=int, default=3000)
    options.add_argument("--seed", default="1")
    options = options.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for field in MAKERS:
        for value, country_code in values(field, options.per_field, options.seed):
            line = {"field": field, "value": value}
            if country_code:
                line["country"] = country_code
            print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
