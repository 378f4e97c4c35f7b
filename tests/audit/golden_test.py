"""The golden logs, read by a program that shares nothing with the engine: docs/audit.md says enough to verify a log.

  golden_test.py GOLDEN_DIR
"""
import hashlib
import hmac
import json
import pathlib
import re
import sys

KEY = b"thirty-two bytes, random or not."
END = re.compile(rb',"chain":"([0-9a-f]{64})"\}\}$')


def check(path, key):
    value, sequence, chain_id = bytes(32), 0, None
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b"", "the last line has a line break"
    kinds = []
    for line in lines:
        event = json.loads(line)
        unmapped = event["unmapped"]
        kinds.append(unmapped["record"])
        if unmapped["record"] == "start":
            assert unmapped.get("continues", bytes(32).hex()) == value.hex()
            assert unmapped["chain_id"] != chain_id
            assert unmapped["chain_algorithm"] == ("HMAC-SHA-256" if key else "SHA-256")
            sequence, chain_id = 0, unmapped["chain_id"]
        sequence += 1
        assert event["metadata"]["sequence"] == sequence
        assert unmapped["chain_id"] == chain_id
        end = END.search(line)
        text = b"tollgate audit chain 1\n" + value + line[: end.start()]
        value = hmac.digest(key, text, "sha256") if key else hashlib.sha256(text).digest()
        assert value.hex() == unmapped["chain"] == end[1].decode(), line
        check_ocsf(event)
    assert kinds == "start decision decision decision decision lost checkpoint stop start stop".split(), kinds


def check_ocsf(event):
    """What OCSF 1.3 demands of each event of these classes."""
    assert event["metadata"]["version"] == "1.3.0"
    assert event["metadata"]["product"]["vendor_name"]
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["category_uid"] == event["class_uid"] // 1000
    assert event["class_uid"] == (6003 if event["unmapped"]["record"] == "decision" else 6002)
    assert event["severity_id"] in (1, 2, 3)
    if event["class_uid"] == 6003:
        assert "operation" in event["api"] and "actor" in event
        assert event["action_id"] in (1, 2) and event["metadata"]["profiles"] == ["security_control"]
    else:
        assert event["app"]["name"]


def main():
    golden = pathlib.Path(sys.argv[1])
    check(golden / "plain.jsonl", b"")
    check(golden / "keyed.jsonl", KEY)
    for wrong, key in (("plain.jsonl", KEY), ("keyed.jsonl", b""), ("keyed.jsonl", KEY[::-1])):
        try:
            check(golden / wrong, key)
        except AssertionError:
            continue
        sys.exit(f"{wrong} is taken by the wrong key")


main()
