"""Answers the phone lines of the corpus with Google's library: {"google": hash | null | "not asked"}."""

import hashlib
import json
import re
import sys

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

# With or without an appendix, which begins with a dot.
HASH = re.compile(r"([0-9a-fA-F]{64}|[0-9a-fA-F]{32})(\..*)?")


def answer(value, country):
    text = value.strip()
    if HASH.fullmatch(text):
        return "not asked"
    if text.startswith("00"):
        text = "+" + text[2:]
    if not text.startswith("+") and not country:
        # A national number without its country can only be guessed at.
        return "not asked"
    try:
        number = phonenumbers.parse(text, country and country.upper())
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    digits = phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")
    return hashlib.sha256(digits.encode()).hexdigest()


def main():
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    for line in sys.stdin:
        case = json.loads(line)
        asked = case["field"] == "ph"
        print(json.dumps({"google": answer(case["value"], case.get("country")) if asked else "not asked"}))


if __name__ == "__main__":
    main()
