"""What a vault must never answer, and sometimes does, costs what is wrong with it and no more."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_vault import plain_vault

import tokenvault_data as tv
from tokenvault_data.cleanup.engine.card_worker import FetchedCard
from tokenvault_data.cleanup.engine.list_answer import ListAnswer
from tokenvault_data.cleanup.engine.responses import read_attempt
from tokenvault_data.client.calls import fetch_call
from tokenvault_data.client.client import CustomerCards
from tokenvault_data.client.paging import PageChain
from tokenvault_data.client.retries import Attempt
from tokenvault_data.client.transport import Answer
from tokenvault_data.collection.fan_out import Customer, Fetched
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.errors import UnusableAnswer

CASES = Path(__file__).parents[1] / "field_cases"
NUMBER = "4111111111111111"
COMMAND = (sys.executable, "-c", "from tokenvault_data.cli.main import run; run()")
GOOD = {
    "instrument_id": "i-1",
    "customer_id": "c",
    "instrument_status": "ACTIVE",
    "instrument_display": "xxxxxxxxxxxx4375",
    "created_at": "2023-11-01T04:55:07.000+00:00",
    "instrument_meta": {
        "card_network": "visa",
        "card_bank_name": "HDFC BANK",
        "card_country": "IN",
    },
}


def cards_of(customer, count=2, **changes):
    return [
        GOOD | {"customer_id": customer, "instrument_id": f"{customer}-{n}"} | changes
        for n in range(count)
    ]


def body(content):
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def texts_below(folder):
    """Every text in every file of a store, read by DuckDB or as the bytes they are."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            rows = duckdb.sql(
                f"SELECT to_json(t)::VARCHAR FROM read_parquet('{path}') t"
            ).fetchall()
            yield from (text for (text,) in rows)
        if path.is_file():
            yield path.read_bytes().decode("latin-1")


def collect(answers, store, **options):
    """The snapshot, its rows, its outcomes, and who was asked, of a vault that answers so."""
    with (
        plain_vault(lambda customer: answers[customer]) as (url, asked),
        tv.connect(emulator_profile(url), share=1.0) as vault,
    ):
        snapshot = tv.collect(vault, list(answers), store=store, progress=False, **options)
    outcomes = {row["customer_id"]: row for row in snapshot.outcomes().to_table().to_pylist()}
    return snapshot, snapshot.to_arrow().to_pylist(), outcomes, asked


def test_one_run_with_four_kinds_of_bad_customers(tmp_path):
    """One of 200 is refused, one always met with 429, one has a bad byte, one a card number."""
    ids = [f"cust_{n:03d}" for n in range(200)]
    answers = {one: (200, body(cards_of(one))) for one in ids}
    answers[ids[17]] = (403, b'{"message": "no", "code": "forbidden", "type": "x"}')
    answers[ids[50]] = (429, b'{"message": "slow down", "code": "x", "type": "rate_limit_error"}')
    latin = cards_of(ids[99], instrument_meta={"card_bank_name": "CR@DIT"})
    answers[ids[99]] = (200, body(latin).replace(b"@", b"\xc9"))
    answers[ids[123]] = (200, body(cards_of(ids[123], notes=f"card {NUMBER} cvv 987", pan=NUMBER)))
    (tmp_path / "ids.txt").write_text("\n".join(["", *ids]))
    with plain_vault(lambda customer: answers[customer]) as (url, asked):
        environment = {name: value for name, value in os.environ.items() if "CASHFREE" not in name}
        environment |= {
            "TOKENVAULT_BASE_URL": url,
            "CASHFREE_ENVIRONMENT": "emulator",
            "CASHFREE_CLIENT_ID": "id",
            "CASHFREE_CLIENT_SECRET": "a-secret-9",
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        ended = subprocess.run(
            [*COMMAND, "collect", "ids.txt", "--share", "1"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 3, ended.stderr
    assert asked[ids[17]] == 2
    assert sum(asked[one] for one in ids if one != ids[50]) <= 199 + 1 + 10  # controls
    snapshot = tv.open_snapshot(tmp_path / "vault-data", "latest")
    assert snapshot.manifest.outcomes["fetched"] == 198
    assert snapshot.manifest.failures == {"access_denied": 1, "rate_limited": 1}
    flat = " ".join(ended.stdout.split())
    assert "! line 19 of ids.txt (cu…17): the vault refuses access to this customer (403" in flat
    assert "! line 52 of ids.txt (cu…50): this call was refused" in flat
    rows = {row["instrument_id"]: row for row in snapshot.to_arrow().to_pylist()}
    assert rows["cust_099-0"]["card_bank"] == "CR\ufffdDIT"
    assert rows["cust_099-0"]["anomalies"] == "card_bank:encoding"
    extra = json.loads(rows["cust_123-0"]["extra"])
    assert extra == {"notes": "card [removed] cvv [removed]", "pan": "[removed]"}
    assert rows["cust_123-0"]["anomalies"] == "extra:secret"
    for text in (*texts_below(tmp_path), ended.stdout, ended.stderr):
        assert NUMBER not in text
        assert "987" not in text or "cvv" not in text
        assert "a-secret-9" not in text


@pytest.mark.parametrize("case", ["answer_lone_surrogate.json", "answer_unknown_pan.json"])
def test_field_cases_are_collected_with_one_request(tmp_path, case):
    """Answers that were met in the field: every record is a row, and the customer is fetched."""
    content = (CASES / case).read_bytes()
    snapshot, rows, outcomes, asked = collect({"c": (200, content)}, tmp_path)
    assert outcomes["c"]["outcome"] == "fetched"
    assert asked["c"] == 1
    assert [row["instrument_id"] for row in rows] == [
        one["instrument_id"] for one in json.loads(content)
    ]
    assert snapshot.complete
    if case == "answer_lone_surrogate.json":
        assert [row["card_bank"] for row in rows] == ["BANK OF \ufffd", None]
        assert [row["anomalies"] for row in rows] == ["card_bank:encoding", None]
    else:
        assert json.loads(rows[0]["extra"]) == {
            "pan": "[removed]",
            "cardNumber": "[removed]",
            "notes": "pan [removed]",
        }
        assert rows[0]["anomalies"] == "extra:secret"
    assert not any(NUMBER in text for text in texts_below(tmp_path))


PLACES = {
    "unknown field": {"pan": NUMBER},
    "free text": {"notes": f"paid by {NUMBER}, thanks"},
    "in groups": {"notes": "4111 1111-1111 1111"},
    "an integer": {"ref": int(NUMBER)},
    "floating point": {"ref": 4.111111111111111e15},
    "deep inside": {"a": [{"b": [[NUMBER]]}]},
    "a key": {"x": {NUMBER: 1}},
    "a security code": {"card": {"CVV2": 987}},
    "a cryptogram": {"instrument_meta": {"token": {"tavv_cryptogram": NUMBER}}},
    "a bank's name": {"instrument_meta": {"card_bank_name": f"HDFC {NUMBER}"}},
    "a network": {"instrument_meta": {"card_network": NUMBER}},
    "a number as a bank": {"instrument_meta": {"card_bank_name": int(NUMBER)}},
    "a month": {"instrument_meta": {"card_token_details": {"expiry_month": NUMBER}}},
    "a status": {"instrument_status": NUMBER},
    "a type": {"instrument_type": NUMBER},
    "a time": {"created_at": f"{NUMBER}"},
    "a display": {"instrument_display": NUMBER},
    "a display in words": {"instrument_display": f"card {NUMBER} of 1234"},
    "no object": None,
    "a list where text belongs": {"instrument_status": [NUMBER]},
    "text where an object belongs": {"instrument_meta": NUMBER},
    "below what is nested too deeply": {"a": json.loads("[" * 150 + f'"{NUMBER}"' + "]" * 150)},
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A collection in which each customer has a card number in a place of its own."""
    store = tmp_path_factory.mktemp("store")
    answers = {
        f"c{n}": (200, body([GOOD | {"customer_id": f"c{n}"} | place if place else NUMBER, GOOD]))
        for n, place in enumerate(PLACES.values())
    }
    answers |= {
        "said": (400, body({"message": f"no card {NUMBER}", "code": NUMBER})),
        "html": (200, f"<html>{NUMBER}".encode()),
        "link": (200, body({"data": {"pan": NUMBER}})),
    }
    records = []

    class Handler(logging.Handler):
        def emit(self, record):
            records.append(record.getMessage())

    handler = Handler()
    logging.getLogger("tokenvault_data").addHandler(handler)
    logging.getLogger("tokenvault_data").setLevel(logging.DEBUG)
    try:
        return store, *collect(answers, store), records
    finally:
        logging.getLogger("tokenvault_data").removeHandler(handler)
        logging.getLogger("tokenvault_data").setLevel(logging.NOTSET)


def test_a_card_number_reaches_no_file_and_no_log(hostile):
    """Wherever it stands, and in answers that are refused as well."""
    store, *_, records = hostile
    assert records
    for text in (*texts_below(store), *records):
        assert NUMBER not in text
        assert "4.111111111111111e" not in text


@pytest.mark.parametrize("place", PLACES)
def test_a_removed_card_number_is_named(hostile, place):
    """The row is there, its neighbour is as it was, and an anomaly says what was done."""
    _, _, rows, _, _, _ = hostile
    number = list(PLACES).index(place)
    row, good = [one for one in rows if one["customer_id"] == f"c{number}"]
    kind = "full_number" if "display" in place else "unreadable" if "deeply" in place else "secret"
    assert f":{kind}" in row["anomalies"]
    assert good["anomalies"] == "customer_id:differs"


def test_ids_are_left_alone(tmp_path):
    """Ids, PAR and payment reference may look like card numbers by chance, and phones are short."""
    token = {"par": NUMBER}
    card = {
        "instrument_id": NUMBER,
        "afa_reference": NUMBER,
        "instrument_uid": NUMBER,
        "instrument_meta": {"card_token_details": token},
        "phone": "+91 98765 43210",
        "mobile": 919876543210,
        "call": "0091-9876543210",
    }
    _, (row,), _, _ = collect({"c": (200, body([card]))}, tmp_path)
    assert {row[name] for name in ("instrument_id", "afa_reference", "instrument_uid", "par")} == {
        NUMBER
    }
    assert json.loads(row["extra"]) == {
        "phone": "+91 98765 43210",
        "mobile": 919876543210,
        "call": "0091-9876543210",
    }
    assert row["anomalies"] is None


@pytest.mark.parametrize(
    ("answered", "status"),
    [((200, b"null"), 200), ((200, b'{"data":null,"cursor":null}'), 200), ((204, b""), 204)],
)
def test_null_and_no_content_are_lists_of_nothing_and_named(tmp_path, answered, status):
    """One request, the outcome `empty` with a word on it, and an anomaly of the snapshot."""
    snapshot, rows, outcomes, asked = collect(
        {"a": answered, "b": (200, body(cards_of("b")))}, tmp_path
    )
    assert (outcomes["a"]["outcome"], outcomes["a"]["http_status"]) == ("empty", status)
    assert "in place of a list" in outcomes["a"]["detail"]
    assert outcomes["b"]["detail"] is None
    assert snapshot.manifest.anomalies["list"] == {"null": 1}
    assert (len(rows), asked["a"]) == (2, 1)


REAL = json.dumps([GOOD, GOOD | {"instrument_id": "i-2", "new": [1, {"a": None}]}]).encode()
PIECES = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.sampled_from(
        [
            b"\xff",
            b"\xc3",
            b"\xed\xa0\xbd",
            b"\xef\xbb\xbf",
            b"\\ud83d",
            b"\\u0000",
            b"\0",
            b"\n",
            b"\\x",
            b"NaN",
            b"-Infinity",
            b"null",
            b"1" * 400,
            b"1e999",
            b'"',
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"instrument_id":1,',
            b"[" * 120 + b"]" * 120,
            b"[" * 1200 + b"]" * 1200,
        ]
    ),
)
EDITS = st.lists(st.tuples(st.integers(0, len(REAL)), st.integers(0, 4), PIECES), max_size=3)
SHAPES = st.sampled_from([b"%s", b'{"data":%s,"cursor":null}', b"\xef\xbb\xbf%s", b" %s\r\n"])


def client_reads(data):
    chain = PageChain("http://127.0.0.1/pg/customers/c/instruments", is_lenient=True)
    try:
        chain.add(Answer(200, {}, data))
    except UnusableAnswer:
        return None
    return chain.instruments


@settings(deadline=None, max_examples=200)
@given(EDITS, SHAPES, st.integers(0, 2))
@example([(0, 0, b"")], b"null%.0s", 1)
@example([(40, 0, b"[" * 5000)], b"%s", 1)
def test_the_client_says_readable_if_and_only_if_the_tables_have_the_rows(edits, shape, place):
    """However a body is damaged, both judge alike, count alike, and harm no neighbour."""
    damaged = REAL
    for at, removed, inserted in edits:
        damaged = damaged[:at] + inserted + damaged[at + removed :]
    bodies = [REAL, REAL]
    bodies.insert(place, shape % damaged)
    flat = flatten([ReceivedBody(f"c{n}", one, 0, "2023-08-01") for n, one in enumerate(bodies)])
    elements = client_reads(bodies[place])
    assert (f"c{place}" in flat.unreadable) == (elements is None)
    counts = {f"c{n}": 2 for n in range(3)} | {f"c{place}": len(elements or ())}
    customers = flat.table.column("customer_id").to_pylist()
    assert {name: customers.count(name) for name in counts} == counts
    for row in flat.table.to_pylist():
        if row["customer_id"] != f"c{place}":
            assert row["card_bank"] == "HDFC BANK"
            assert row["anomalies"] == "customer_id:differs"


@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(REAL) - 1), st.binary(min_size=1, max_size=2))
def test_a_bad_character_in_a_text_costs_that_text_alone(at, junk):
    """Bytes that are no UTF-8 inside of any text: both records are rows, and only one is marked."""
    bad = b"\xff" + junk.replace(b'"', b"").replace(b"\\", b"")
    before = REAL[:at]
    in_text = before.count(b'"') % 2 == 1
    if not in_text:
        return
    flat = flatten([ReceivedBody("c", before + bad + REAL[at:], 0, "2023-08-01")])
    assert flat.table.num_rows == 2
    (marked,) = [row["anomalies"] for row in flat.table.to_pylist() if row["anomalies"]]
    assert "encoding" in marked or "repeated_key" in marked


def test_nothing_that_holds_an_answer_shows_it():
    """A repr, which debuggers, assertions and notebooks print, has no card number and no id."""
    page = body([GOOD | {"instrument_id": "private-id", "pan": NUMBER}])
    answer = Answer(200, {}, page)
    card = json.loads(page)[0]
    call = fetch_call("c", "private-id")
    attempt = Attempt("answered", 200, {}, page, "r-1")
    customer = Customer(0, "c")
    for holder in (
        answer,
        attempt,
        CustomerCards([page], 1, 1),
        Fetched(customer, [page], 1, 1, 0),
        ReceivedBody("c", page, 0, "v"),
        flatten([ReceivedBody("c", page, 0, "v")]),
        ListAnswer("c", [card], (page,), None, 200, "r-1"),
        read_attempt(call, attempt),
        FetchedCard("c", card, 0, "v"),
        PageChain("http://127.0.0.1/pg"),
    ):
        assert NUMBER not in repr(holder)
        assert NUMBER not in f"{holder}"
    assert read_attempt(call, attempt).meaning == "this_card"
