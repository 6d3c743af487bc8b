"""Compares what arrived by way of Sluice with what the same SDK sent straight, field by field.

Every difference that is meant stands in `meant`, with its reason; any other is a failure.
"""

import copy
import hashlib
import re
from collections import Counter

HASH = re.compile(r"[0-9a-f]{64}")


def key_of(event):
    """What an event is known by: its id, or the order id of one that has none."""
    return event.get("event_id") or (event.get("custom_data") or {}).get("order_id")


def without_nulls(value, reasons):
    if not isinstance(value, dict):
        return value
    if None in value.values():
        reasons["members that are null are left out"] += 1
    return {key: without_nulls(member, reasons) for key, member in value.items() if member is not None}


def meant(event, reasons):
    """The event as Sluice should pass it on."""
    event = without_nulls(copy.deepcopy(event), reasons)
    user, custom = event.get("user_data", {}), event.get("custom_data", {})
    ids = user.get("external_id", [])
    if any(not HASH.fullmatch(one) for one in ids):
        reasons["external_id is hashed: the SDKs send it in the clear"] += 1
        user["external_id"] = [one if HASH.fullmatch(one) else hashlib.sha256(one.encode()).hexdigest() for one in ids]
    if custom.get("currency", "").islower():
        reasons["currency in upper case"] += 1
        custom["currency"] = custom["currency"].upper()
    device = event.get("app_data", {}).get("extinfo")
    if isinstance(device, list) and None in device:
        reasons["a null slot of extinfo is an empty text"] += 1
        event["app_data"]["extinfo"] = ["" if slot is None else slot for slot in device]
    if "event_id" not in event:
        reasons["an event without event_id gets its order_id as one"] += 1
        event["event_id"] = custom["order_id"]
    return event


def flat(value, path=""):
    """Path and value of every field. Meta gives the order of values in user_data no meaning."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from flat(member, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and path.startswith("user_data."):
        yield path, sorted(value)
    else:
        yield path, value


class Comparison:
    """The differences between events, and how many fields were looked at."""

    def __init__(self):
        self.reasons = Counter()

    def differences(self, straight, via):
        """How many fields were compared, and what differs without being meant."""
        expected, found = dict(flat(meant(straight, self.reasons))), dict(flat(via))
        paths = expected.keys() | found.keys()
        texts = [
            f"{path}: {found.get(path, 'nothing')!r}, not {expected.get(path, 'nothing')!r}"
            for path in sorted(paths)
            # `==` alone would take true for 1.
            if path not in found or path not in expected or repr(found[path]) != repr(expected[path])
        ]
        return len(paths), texts
