"""Look-up requests of every kind that the contract knows, each with the result that it must get.

The expectation is computed from the contract and from the rule by which care360-sim makes case ids,
never by asking the service.
"""

import dataclasses
import hashlib
import json
import random
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

Header = Tuple[str, Optional[bytes]]

FOUND = ""
NOT_FOUND = "case_not_found"
EMAIL_MISSING = "email_missing"
IDENTITY_MISSING = "identity_missing"
MALFORMED = "malformed_event"

# The requestId of a malformed event is echoed "wherever it could be read": either is right where
# nobody can say whether it could.
NULL_OR = "null-or:"


@dataclasses.dataclass
class Request:
    """One record of the request topic, and what must become of it."""

    kind: str
    value: Optional[bytes]
    reason: str  # FOUND, or of the error event
    request_id: Any = None  # what the result must echo
    email: Optional[str] = None  # what the API must be asked for; both None: it must not be asked
    phone: Optional[str] = None
    key: Optional[bytes] = None
    headers: List[Header] = dataclasses.field(default_factory=list)
    topic: str = ""  # where it was put; filled by produce()
    partition: int = -1
    offset: int = -1

    @property
    def ce_id(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def case_id(self) -> Optional[str]:
        return case_id(self.email, self.phone) if self.reason == FOUND else None


def case_id(email: Optional[str], phone: Optional[str]) -> str:
    """The case id that care360-sim makes for an identity."""
    digest = hashlib.sha256(f"{email or ''}\n{phone or ''}".encode()).hexdigest()[:32]
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))


def encode(members: Dict[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode()


def plain(email: Optional[str] = None, phone: Optional[str] = None, request_id: Any = None,
          kind: str = "plain", **more: Any) -> Request:
    """A request in the plain form, found unless the identity is one of those that have no case."""
    members = {"requestId": request_id, "email": email, "phoneNumber": phone, **more}
    members = {name: value for name, value in members.items() if value is not None}
    return Request(kind, encode(members), reason_for(email, phone), request_id, email or None, phone or None)


def reason_for(email: Optional[str], phone: Optional[str]) -> str:
    """What the simulator says of an identity when no fault is on."""
    if not email and not phone:
        return IDENTITY_MISSING
    nobody = email.startswith("nobody") if email else phone.startswith("+000")
    return NOT_FOUND if nobody else FOUND


def structured(request: Request, event_id: str, content_type: bytes) -> Request:
    """The same in CloudEvents' structured form; its id serves as requestId where that is missing."""
    event = {"specversion": "1.0", "id": event_id, "source": "/clinic", "type": "lookup.requested",
             "data": json.loads(request.value)}
    return dataclasses.replace(
        request, kind="cloudevents structured", value=encode(event), headers=[("content-type", content_type)],
        request_id=event_id if request.request_id is None else request.request_id)


def binary(request: Request, event_id: str) -> Request:
    """The same in CloudEvents' binary form."""
    headers = [("ce_specversion", b"1.0"), ("ce_id", event_id.encode()), ("ce_source", b"/clinic"),
               ("ce_type", b"lookup.requested"), ("content-type", b"application/json")]
    return dataclasses.replace(request, kind="cloudevents binary", headers=headers,
                               request_id=event_id if request.request_id is None else request.request_id)


def prefixed(request: Request, schema: int = 42) -> Request:
    """The same behind Confluent's schema prefix."""
    return dataclasses.replace(request, kind=f"{request.kind} behind a schema prefix",
                               value=b"\0" + schema.to_bytes(4, "big") + request.value)


def malformed(kind: str, value: Optional[bytes], request_id: Any = None,
              headers: Optional[List[Header]] = None) -> Request:
    return Request(f"malformed: {kind}", value, MALFORMED, request_id, headers=headers or [])


def nested(depth: int) -> bytes:
    """An object `depth` levels deep, itself the first, with an identity."""
    return (b'{"email":"deep@example.org","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}")


def malformed_values(tag: str) -> List[Request]:
    """Every rule of "Malformed" in section 3 of the contract, broken in turn. `tag` makes them unlike others."""
    email = f'"email":"{tag}@example.org"'.encode()
    sure = f"id-{tag}"
    with_id = f'"requestId":"{sure}"'.encode()
    perhaps = NULL_OR + sure
    return [
        malformed("no value", None),
        malformed("empty value", b""),
        malformed("white space alone", b" \t\r\n"),
        malformed("an array", b"[{" + email + b"}]"),
        malformed("a string", b'"text"'),
        malformed("a number", b"42"),
        malformed("true", b"true"),
        malformed("null", b"null"),
        malformed("bare text", b"hello"),
        malformed("XML", b"<request><email>a@example.org</email></request>"),
        malformed("cut off inside a string", b"{" + email[:-2], perhaps),
        malformed("cut off before the last brace", b"{" + with_id + b"," + email, perhaps),
        malformed("a comma too many", b"{" + with_id + b"," + email + b",}", perhaps),
        malformed("single quotes", b"{'email':'a@example.org'}"),
        malformed("a name without quotes", b'{email:"a@example.org"}'),
        malformed("a comment", b"{" + email + b"/* why */}"),
        malformed("a colon missing", b'{"email" "a@example.org"}'),
        malformed("invalid UTF-8 in a member", b"{" + with_id + b',"email":"\xff\xfe@example.org"}', perhaps),
        malformed("invalid UTF-8 in a member that is ignored", b"{" + email + b',"note":"\xc3\x28"}'),
        malformed("overlong UTF-8", b'{"email":"\xc0\xafa@example.org"}'),
        malformed("a surrogate in UTF-8", b'{"email":"\xed\xa0\x80a@example.org"}'),
        malformed("a member given twice", b"{" + email + b"," + email + b"}"),
        malformed("requestId given twice", b"{" + email + b"," + with_id + b"," + with_id + b"}", perhaps),
        malformed("a member given twice, one behind an escape", b"{" + email + b',"\\u0065mail":"x@example.org"}'),
        malformed("a member given twice deep inside", b"{" + email + b',"x":{"y":[{"z":1,"z":2}]}}'),
        malformed("NaN", b"{" + email + b',"x":NaN}'),
        malformed("Infinity", b"{" + email + b',"x":Infinity}'),
        malformed("-Infinity", b"{" + email + b',"x":-Infinity}'),
        malformed("a raw line feed in a string", b'{"email":"a\n@example.org"}'),
        malformed("a raw tab in a string that is ignored", b"{" + email + b',"x":"a\tb"}'),
        malformed("a raw zero in a string", b'{"email":"a\0@example.org"}'),
        malformed("a high surrogate alone", b"{" + email + b',"x":"\\ud800"}'),
        malformed("a low surrogate alone", b"{" + email + b',"x":"\\udc00 "}'),
        malformed("surrogates the wrong way round", b'{"email":"\\udc00\\ud800@example.org"}'),
        malformed("depth 9", nested(9)),
        malformed("depth 5000", nested(5000)),
        malformed("a word after the object", b"{" + email + b"} x"),
        malformed("a second object", b"{" + email + b"}{" + email + b"}"),
        malformed("a zero after the object", b"{" + email + b"}\0"),
        malformed("an e-mail that is a number", b"{" + with_id + b',"email":5}', sure),
        malformed("an e-mail that is a boolean", b"{" + with_id + b',"email":true}', sure),
        malformed("an e-mail that is an array", b"{" + with_id + b',"email":["a@example.org"]}', sure),
        malformed("an e-mail that is an object", b"{" + with_id + b',"email":{}}', sure),
        malformed("a phone number that is a number", b"{" + with_id + b"," + email + b',"phoneNumber":15550100}', sure),
        malformed("a phone number that is false", b"{" + with_id + b"," + email + b',"phoneNumber":false}', sure),
        malformed("a requestId that is a fraction", b"{" + email + b',"requestId":1.5}'),
        malformed("a requestId that is a boolean", b"{" + email + b',"requestId":true}'),
        malformed("a requestId that is an object", b"{" + email + b',"requestId":{}}'),
        malformed("a requestId beyond 64 bits", b"{" + email + b',"requestId":99999999999999999999}'),
        malformed("a requestId of 257 bytes", b"{" + email + b',"requestId":"' + b"r" * 257 + b'"}'),
        malformed("a requestId with a control character", b"{" + email + b',"requestId":"a\\u0001b"}'),
        malformed("an e-mail of 1025 bytes", b"{" + with_id + b',"email":"' + b"e" * 1025 + b'"}', sure),
        malformed("an e-mail of 1026 bytes in 513 letters",
                  b"{" + with_id + b',"email":"' + "é".encode() * 513 + b'"}', sure),
        malformed("a phone number of 1025 bytes", b"{" + with_id + b',"phoneNumber":"' + b"1" * 1025 + b'"}', sure),
        malformed("an e-mail with an escaped zero", b"{" + with_id + b',"email":"a\\u0000@example.org"}', sure),
        malformed("an e-mail with an escaped line feed", b"{" + with_id + b',"email":"a\\n@example.org"}', sure),
        malformed("a phone number with an escaped tab", b"{" + with_id + b',"phoneNumber":"+1\\t2"}', sure),
        malformed("a schema prefix and nothing else", b"\0\0\0\0\x2a"),
        malformed("a schema prefix cut short", b"\0\0\0"),
        malformed("Avro behind a schema prefix", b"\0\0\0\0\x2a\x02\x1ea@example.org\x00"),
        malformed("a batch of CloudEvents",
                  b'[{"specversion":"1.0","id":"1","source":"/","type":"t","data":{' + email + b"}}]",
                  headers=[("content-type", b"application/cloudevents-batch+json")]),
        malformed("data_base64",
                  b'{"specversion":"1.0","id":"e-1","source":"/","type":"t","data_base64":"e30="}', NULL_OR + "e-1",
                  [("content-type", b"application/cloudevents+json")]),
        malformed("structured data that is a string",
                  b'{"specversion":"1.0","id":"e-1","source":"/","type":"t","data":"{}"}', NULL_OR + "e-1",
                  [("content-type", b"application/cloudevents+json")]),
        malformed("structured data that is an array",
                  b'{"specversion":"1.0","id":"e-1","source":"/","type":"t","data":[]}', NULL_OR + "e-1",
                  [("content-type", b"application/cloudevents+json")]),
        malformed("a binary CloudEvent without a value", None, NULL_OR + "e-2",
                  [("ce_specversion", b"1.0"), ("ce_id", b"e-2"), ("ce_source", b"/"), ("ce_type", b"t")]),
    ]


def well_formed_edges(tag: str) -> List[Request]:
    """What lies just inside each limit, and must not be taken for malformed."""
    long_email = f"{tag}@{'e' * 1024}"[:1024]
    edges = [
        plain(email=long_email, request_id=f"edge-{tag}"),
        plain(phone="+" + "1" * 1023),
        plain(email=f"{tag}@example.org", request_id="r" * 256),
        plain(email=f"{tag}@example.org", request_id=9223372036854775807),
        plain(email=f"{tag}@example.org", request_id=-9223372036854775808),
        plain(email=f"{tag}@example.org", request_id=0),
        plain(email=f"{tag}@example.org", request_id=""),
        plain(email=f"{tag}@example.org", phone="", request_id=7),
        plain(email="", phone="+15550107"),
        plain(email=f"{tag}@example.org", more={"nested": [1, 2.5e10, None, True]}),
        Request("null members", b'{"requestId":null,"email":null,"phoneNumber":"+15550108"}', FOUND, None, None, "+15550108"),
        Request("depth 8", nested(8), FOUND, None, "deep@example.org"),
        Request("white space around", b' \r\n\t{"email":"ws@example.org"} \n', FOUND, None, "ws@example.org"),
        Request("escapes", b'{"email":"\\u0061\\u00e9\\ud83d\\ude00\\/\\"@example.org"}', FOUND, None, 'aé😀/"@example.org'),
    ]
    return [dataclasses.replace(edge, kind=f"edge: {edge.kind}") for edge in edges]


def identity_missing(tag: str) -> List[Request]:
    values = [({}, None), ({"requestId": f"i-{tag}"}, f"i-{tag}"), ({"requestId": 5, "email": None}, 5),
              ({"email": "", "phoneNumber": ""}, None), ({"phone": "+15550100"}, None)]
    return [Request("neither e-mail nor phone", encode(members), IDENTITY_MISSING, request_id)
            for members, request_id in values]


def large(tag: str, size: int = 900_000) -> List[Request]:
    """Records near the largest that a topic takes by default."""
    padding = "x" * (size - 200)
    return [
        dataclasses.replace(plain(email=f"large-{tag}@example.org", request_id=f"l-{tag}", padding=padding), kind="900 kB"),
        dataclasses.replace(prefixed(plain(email=f"large-{tag}@example.org", padding=padding)), kind="900 kB behind a prefix"),
        malformed("an e-mail of 900 kB", encode({"requestId": f"l-{tag}", "email": padding}), f"l-{tag}"),
        malformed("900 kB of something", b"x" * size),
    ]


def _everyday(number: int) -> Request:
    """One of the kinds of request that make up most of a topic."""
    tag = f"{number}"
    makers: List[Callable[[], Request]] = [
        lambda: plain(email=f"patient{tag}@example.org", request_id=f"r-{tag}"),
        lambda: plain(email=f"nobody{tag}@example.org", request_id=f"r-{tag}", kind="not found"),
        lambda: plain(phone=f"+1555{number:07d}", request_id=number, kind="phone only"),
        lambda: plain(phone=f"+000{number:07d}", kind="phone only, not found"),
        lambda: plain(email=f"first+last+{tag}@example.org", kind="e-mail with +"),
        lambda: plain(email=f'"quoted & 100%=?#{tag}"@example.org', request_id=f"q-{tag}", kind="quotes"),
        lambda: plain(email=f"with space {tag}@example.org", kind="spaces"),
        lambda: plain(email=f"zoë.müller-{tag}@exämple.org", request_id=f"ü-{tag}", kind="non-ASCII letters"),
        lambda: plain(email=f"患者{tag}😀@example.org", kind="non-ASCII letters"),
        lambda: plain(email=f"both{tag}@example.org", phone=f"+1 (555) {number:07d}", kind="both"),
        lambda: structured(plain(email=f"ce{tag}@example.org"), f"ce-{tag}", b"application/cloudevents+json"),
        lambda: structured(plain(email=f"ce{tag}@example.org", request_id=f"own-{tag}"), f"ce-{tag}",
                           b"Application/CloudEvents+JSON; charset=utf-8"),
        lambda: binary(plain(phone=f"+1777{number:07d}"), f"bin-{tag}"),
        lambda: prefixed(plain(email=f"registry{tag}@example.org", request_id=f"p-{tag}")),
        lambda: prefixed(structured(plain(email=f"rce{tag}@example.org"), f"rce-{tag}", b"application/cloudevents+json")),
    ]
    return makers[number % len(makers)]()


def mixture(count: int, seed: int = 1) -> Iterator[Request]:
    """`count` requests of all kinds in a random order that follows from the seed, with and without keys.

    About one in five is odd: malformed in every way, at the edges, large. Keys repeat, so that
    there is an order to keep.
    """
    chance = random.Random(seed)
    odd: List[Request] = []
    large_count = min(80, max(8, count // 500))
    everyday = 0
    for number in range(count):
        if number % max(1, count // large_count) == 3:
            request = chance.choice(large(f"{number}"))
        elif number % 5 == 0:
            if not odd:
                odd = malformed_values(f"m{number}") + well_formed_edges(f"w{number}") + identity_missing(f"{number}")
                chance.shuffle(odd)
            request = odd.pop()
        else:
            request = _everyday(everyday)
            everyday += 1
        request.key = _key(chance, count)
        if number % 7 == 0:
            request.headers = request.headers + [
                ("traceparent", f"00-{number:032x}-00f067aa0ba902b7-01".encode()), ("private", b"stays behind")]
        yield request


def _key(chance: random.Random, count: int) -> Optional[bytes]:
    draw = chance.random()
    if draw < 0.15:
        return None
    if draw < 0.20:
        return b""
    if draw < 0.25:
        return bytes([0xFF, 0x00, chance.randrange(40)])  # not text
    return f"key-{chance.randrange(max(10, count // 20))}".encode()


def small(count: int, keys: int = 1000, prefix: str = "s") -> Iterator[Request]:
    """Small everyday requests, as fast as they can be made."""
    for number in range(count):
        email = f"{prefix}{number}@example.org"
        yield Request("small", b'{"requestId":"%s-%d","email":"%s"}' % (prefix.encode(), number, email.encode()), FOUND,
                      f"{prefix}-{number}", email, None, b"k%d" % (number % keys))
