"""Where Sluice means to differ from what all of Meta's packages do.

A rule is (fields, reason, rewrite). `rewrite` gives the value that the packages should have been handed instead, or
None when nothing may be sent; a value it returns unchanged is none of the rule's business. Sluice may then differ
only by answering what the packages answer for the rewritten value, so a rule excuses nothing but itself.
"""

import hashlib
import re
import unicodedata
from datetime import date

EVERY = "em ph fn ln db ge ct st zp country external_id f5first f5last fi dobd dobm doby".split()

HASH = re.compile(r"([0-9a-fA-F]{64}|[0-9a-fA-F]{32})(\.(?:[A-Za-z0-9_-]{8}|AQ|Ag|Aw|BA|BQ|Bg))?")
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
PLACEHOLDERS = {"null", "(null)", "undefined", "none", "nan", "n/a", "(not set)", "[object object]"}
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def placeholder(value):
    return None if value.strip().lower() in PLACEHOLDERS else value


def empty_hash(value):
    found = HASH.fullmatch(value.strip())
    return None if found and found[1].lower() == EMPTY_HASH else value


def without_appendix(value):
    found = HASH.fullmatch(value.strip())
    return found[1] if found and found[2] else value


def nfc(value):
    return unicodedata.normalize("NFC", value)


def without_marks(value):
    return INVISIBLE.sub("", value)


def real_date(value):
    text = value.strip()
    if not re.fullmatch(r"[0-9]{8}", text):
        return value
    try:
        born = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
    return value if date(1900, 1, 1) <= born <= date.today() else None


def short_enough(value):
    if HASH.fullmatch(value.strip()):
        return value
    return None if len(re.sub("[^0-9]", "", value).lstrip("0")) > 15 else value


def somebody(value):
    return None if re.fullmatch(r"0+|[-.]", value.strip()) else value


def alone(value):
    """An address without what stands round it in mail, links and tables."""
    text = value.strip()
    while True:
        before, text = text, text.strip().rstrip(",;").strip()
        text = re.sub("^(?:mailto|smtp|e-?mail|mail):", "", text, flags=re.IGNORECASE)
        found = re.fullmatch(r"<(.*)>|\((.*)\)|\"(.*)\"|'(.*)'|\[(.*)\]", text)
        text = next(filter(None, found.groups()), "") if found else text
        if text == before:
            return value if text == value.strip() else text


NAMES_AND_PLACES = "fn ln ct st f5first f5last fi".split()

DEPARTURES = [
    (EVERY, "the hash of nothing counts as missing", empty_hash),
    (EVERY, "placeholder such as null or undefined counts as missing", placeholder),
    (EVERY, "a hash with an appendix is a hash, not text", without_appendix),
    (EVERY, "invisible marks (bidi, zero-width space) are removed", without_marks),
    (["em"], "quotation marks, brackets, mailto: and a comma round an address are removed", alone),
    (NAMES_AND_PLACES, "NFC before hashing names and places", nfc),
    (["db"], "eight digits that are no date from 1900 to today are dropped", real_date),
    (["external_id"], "an id that names nobody is dropped", somebody),
    (["ph"], "a phone number has at most 15 digits", short_enough),
]


def rewritten(field, value):
    """The value after every rule for this field, and the reasons of the rules that changed it."""
    reasons = []
    for fields, reason, rewrite in DEPARTURES:
        if value is None or field not in fields:
            continue
        changed = rewrite(value)
        if changed != value:
            reasons.append(reason)
        value = changed
    return value, reasons
