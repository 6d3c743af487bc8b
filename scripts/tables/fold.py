"""Key folding shared by the table generators.

It must agree with the lookup side: NFKD, drop combining marks, lower-case,
keep letters only. All marks (Mn, Mc, Me) go, so that a folded key folds to
itself whether or not a spacing mark counts as alphabetic.
"""

import unicodedata


def fold(text):
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if unicodedata.category(c)[0] != "M")
    return "".join(c for c in text.lower() if c.isalpha())


def is_latin(key):
    return all(unicodedata.name(c, "").startswith("LATIN ") for c in key)


def write(out, header, rows):
    """Write comment lines, then the rows sorted by bytes, as UTF-8 with LF."""
    lines = sorted("\t".join(row).encode() for row in rows)
    keys = [line.split(b"\t")[0] for line in lines]
    assert keys == sorted(set(keys)), "keys are not unique or not sorted"
    for line in header:
        out.write(("# " + line + "\n").encode())
    for line in lines:
        out.write(line + b"\n")
