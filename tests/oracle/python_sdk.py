"""Answers every corpus line with what Meta's Python SDK would send: {"python": hash | null | "raises"}."""

import hashlib
import json
import re
import sys

from facebook_business.adobjects.serverside.normalize import Normalize
from facebook_business.adobjects.serverside.user_data import UserData

KEYWORDS = {
    "em": "email", "ph": "phone", "fn": "first_name", "ln": "last_name", "db": "date_of_birth", "ct": "city",
    "st": "state", "zp": "zip_code", "country": "country_code",
}
HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}")


def answer(field, value):
    if field == "ge":
        # UserData takes an enum of m and f only; this is the function it then hands the enum's text to.
        return Normalize.normalize_field(field, value)
    sent = UserData(**{KEYWORDS.get(field, field): value}).normalize().get(field)
    if isinstance(sent, list):
        sent = sent[0]
    # The SDK sends ids as they are, so hash them here, unless they are hashes already.
    if field == "external_id" and sent and not HASH.fullmatch(sent):
        sent = hashlib.sha256(sent.encode()).hexdigest()
    return sent or None


def main():
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    for line in sys.stdin:
        case = json.loads(line)
        try:
            result = answer(case["field"], case["value"])
        except (TypeError, ValueError):
            result = "raises"
        print(json.dumps({"python": result}))


if __name__ == "__main__":
    main()
