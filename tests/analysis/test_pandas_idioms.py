"""Ordinary lines of pandas do on our frames what they do on frames of plain lists."""

import io
import json
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest
from analysis_cases import card, publish

import tokenvault_data as tv
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.analysis.expiry import expired_but_active, expiry_calendar, expiry_outlook
from tokenvault_data.analysis.outreach import customer_outlook, customers_at_risk
from tokenvault_data.dataset.bank_names import load_bank_names

AS_OF = "2026-11-22"
NETWORKS = ("VISA", "RUPAY", None)
BANKS = ("HDFC BANK", "HDFC Bank Limited", "ICICI Bank", None)
EXPIRIES = ("2026-10", "2026-12", "2027-01", "2028-02", None)


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    def vault(first):
        return {
            f"customer-{number:03}": [
                card(
                    f"card-number-{number:03}-{place}",
                    card_network=NETWORKS[(number + place) % 3],
                    card_bank_name=BANKS[(number + place + first) % 4],
                    **({"expires": expires} if expires else {"card_token_details": None}),
                )
                for place in range(number % 4)
                for expires in [EXPIRIES[(number + place) % 5]]
            ]
            for number in range(first, first + 40)
        }

    folder = tmp_path_factory.mktemp("idioms")
    return publish(folder / "old", vault(0)), publish(folder / "new", vault(5))


@pytest.fixture(scope="module")
def ours(snapshots):
    return snapshots[1].to_pandas(as_of=AS_OF)


@pytest.fixture(scope="module")
def plain(snapshots):
    """The same cards by way of DuckDB and Python lists, with the derived columns written out."""
    files = str(snapshots[1].path / "instruments" / "*.parquet")
    found = duckdb.sql(f"SELECT * FROM '{files}'")
    frame = pd.DataFrame([dict(zip(found.columns, row, strict=True)) for row in found.fetchall()])
    for name in ("expires_on", "created_at", "fetched_at"):
        frame[name] = pd.to_datetime(frame[name], utc=name != "expires_on").astype(
            "datetime64[us]" if name == "expires_on" else "datetime64[us, UTC]"
        )
    names = load_bank_names()
    frame["bank"] = [
        names.canonical(bank) if isinstance(bank, str) else None for bank in frame["card_bank"]
    ]
    frame["expiry"] = frame["expires_on"].dt.strftime("%Y-%m")
    left = (frame["expires_on"] - pd.Timestamp(AS_OF)).dt.days
    frame["expires_in"] = pd.cut(
        left,
        [-np.inf, -1, 30, 60, 90, np.inf],
        labels=["expired", "0-30 days", "31-60 days", "61-90 days", "later"],
    ).astype("str")
    return frame


def by_day(frame):
    return frame.dropna(subset=["expires_on"]).set_index("expires_on").sort_index()


def a_merge(frame):
    banks = pd.DataFrame({"bank": ["HDFC Bank", "ICICI Bank"], "region": ["north", "west"]})
    return frame.merge(banks, on="bank", how="left")[["instrument_id", "bank", "region"]]


def read_back(frame):
    text = frame[["instrument_id", "bank", "expires_on"]].to_csv(index=False)
    return pd.read_csv(io.StringIO(text), parse_dates=["expires_on"])


def parquet_back(frame):
    file = io.BytesIO()
    frame[["instrument_id", "bank", "expires_on", "created_at"]].to_parquet(file)
    return pd.read_parquet(file)


def a_filled(frame):
    filled = frame.assign(bank=frame["bank"].fillna("unknown"))
    filled["card_network"] = filled["card_network"].fillna("none at all")
    return filled[["bank", "card_network"]]


def with_total(frame):
    table = frame.pivot_table(
        index="bank", columns="card_network", values="instrument_id", aggfunc="count"
    )
    table["total"] = table.sum(axis=1)
    return table


JUNE = pd.Timestamp("2027-01-15")
IDIOMS = {
    "filter": lambda f: f[(f["bank"] == "HDFC Bank") & (f["card_network"] == "visa")],
    "timestamp": lambda f: f[f["expires_on"] >= JUNE],
    "text date": lambda f: f[f["expires_on"] < "2027-01-15"],
    "between": lambda f: f[f["expires_on"].between("2026-12-01", "2027-01-31")],
    "instant": lambda f: f[f["created_at"] < pd.Timestamp("2100-01-01", tz="UTC")],
    "query": lambda f: f.query("bank == 'HDFC Bank' and expires_on < '2027-06-01'"),
    "query at": lambda f: f.query("expires_on > @JUNE", local_dict={"JUNE": JUNE}),
    "isin": lambda f: f[f["instrument_id"].isin(["card-number-007-1", "card-number-011-2"])],
    "not": lambda f: f[~f["bank"].isna()],
    "contains": lambda f: f[f["customer_id"].str.contains("01")],
    "starts": lambda f: f[f["card_bank"].str.lower().str.startswith("hdfc")],
    "resample": lambda f: by_day(f).resample("MS").size(),
    "resample quarter": lambda f: by_day(f)["instrument_id"].resample("QE").count(),
    "slice by date": lambda f: by_day(f).loc["2026-12":"2027-01"],
    "grouper": lambda f: f.groupby(pd.Grouper(key="expires_on", freq="YE")).size(),
    "pivot": lambda f: f.pivot_table(
        index="bank", columns="card_network", values="list_position", aggfunc="count", fill_value=0
    ),
    "pivot and total": with_total,
    "margins": lambda f: pd.crosstab(f["bank"], f["card_network"], margins=True),
    "crosstab": lambda f: pd.crosstab(f["bank"], f["expires_in"], normalize="index"),
    "agg": lambda f: f.groupby("bank").agg(
        cards=("instrument_id", "size"),
        customers=("customer_id", "nunique"),
        first=("expires_on", "min"),
        year=("expiry_year", "mean"),
    ),
    "by id": lambda f: f.groupby("customer_id")["instrument_id"].count().sort_index(),
    "first": lambda f: f.sort_values("instrument_id").groupby("bank")["instrument_id"].first(),
    "no group lost": lambda f: f.groupby("bank", dropna=False).size(),
    "as columns": lambda f: f.groupby(["bank", "expiry"], as_index=False).size(),
    "transform": lambda f: f.groupby("bank")["list_position"].transform("max"),
    "merge": a_merge,
    "self merge": lambda f: f.merge(f[["instrument_id", "expiry"]], on="instrument_id").shape,
    "counts": lambda f: f["card_network"].value_counts(),
    "shares": lambda f: f["bank"].value_counts(normalize=True, dropna=False),
    "counts of a part": lambda f: f[f["card_network"] == "visa"]["card_network"].value_counts(),
    "years": lambda f: f["expires_on"].dt.year.value_counts().sort_index(),
    "dt": lambda f: f["expires_on"].dt.day_name(),
    "strftime": lambda f: f["expires_on"].dt.strftime("%b %Y"),
    "period": lambda f: f["expires_on"].dt.to_period("M").value_counts().sort_index(),
    "india": lambda f: f["created_at"].dt.tz_convert("Asia/Kolkata").dt.date,
    "days left": lambda f: (f["expires_on"] - pd.Timestamp(AS_OF)).dt.days,
    "next month": lambda f: f["expires_on"] + pd.DateOffset(months=1),
    "key": lambda f: (f["expiry_year"] * 100 + f["expiry_month"]).astype("float64"),
    "cut": lambda f: pd.cut(f["list_position"], [-1, 0, 1, 9], labels=["one", "two", "more"]),
    "sort": lambda f: f.sort_values(["expires_on", "instrument_id"], na_position="first"),
    "largest": lambda f: f.nlargest(3, "list_position")["list_position"].tolist(),
    "fillna": a_filled,
    "missing": lambda f: f[["bank", "expires_on", "card_network", "expiry_year"]].isna().sum(),
    "dropna": lambda f: f.dropna(subset=["expires_on", "bank"]),
    "map": lambda f: f["card_network"].map({"visa": "V", "rupay": "R"}),
    "apply": lambda f: f.apply(lambda row: f"{row['bank']}/{row['list_position']}", axis=1),
    "where": lambda f: np.where(f["expires_on"] < JUNE, "soon", "later").tolist(),
    "concat": lambda f: pd.concat([f.head(2), f.tail(2)], ignore_index=True),
    "melt": lambda f: f.melt(id_vars=["instrument_id"], value_vars=["bank", "card_network"]),
    "stack": lambda f: f.groupby(["bank", "card_network"]).size().unstack(fill_value=0).stack(),
    "index": lambda f: f.set_index("instrument_id").loc["card-number-007-1", "bank"],
    "reset": lambda f: f.set_index(["bank", "expiry"])["instrument_id"].reset_index(),
    "dummies": lambda f: pd.get_dummies(f["card_network"]),
    "rename": lambda f: f.rename(columns=str.upper).columns.tolist(),
    "duplicates": lambda f: f.drop_duplicates(["bank", "card_network"]),
    "assign": lambda f: f.assign(soon=f["expires_on"] < JUNE)["soon"],
    "concatenate text": lambda f: f["card_network"] + ":" + f["bank"],
    "category": lambda f: f["bank"].astype("category").cat.categories.tolist(),
    "json": lambda f: json.loads(f[["instrument_id", "bank"]].to_json(orient="records")),
    "csv": read_back,
    "parquet": parquet_back,
    "describe": lambda f: f[["list_position"]].describe(),
    "plotted": lambda f: (f["expires_on"].dropna().to_numpy(), f["list_position"].to_numpy()),
    "select text": lambda f: f.select_dtypes("str").columns.tolist(),
    "select dates": lambda f: f.select_dtypes("datetime").columns.tolist(),
    "cumulate": lambda f: by_day(f).groupby(level=0).size().cumsum(),
    "sample": lambda f: f.sample(5, random_state=1),
    "rank": lambda f: f["expires_on"].rank(),
    "itertuples": lambda f: [row.bank for row in f.dropna(subset="bank").itertuples()],
    "to_datetime": lambda f: f[f["expires_on"] == pd.to_datetime(date(2026, 12, 31))],
}


def same(found, wanted):
    """Compare values, labels and order; text, and how wide a number is, is one type."""
    if isinstance(wanted, tuple):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    elif isinstance(wanted, pd.DataFrame):
        assert type(found) is pd.DataFrame
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False, check_column_type=False)
    elif isinstance(wanted, pd.Series):
        pd.testing.assert_series_equal(found, wanted, check_dtype=False)
    else:
        assert found == wanted


@pytest.fixture
def comparable(ours, plain):
    """Both in one order, and the columns that hold nothing left to other tests."""
    order = ["customer_id", "list_position"]
    held = [name for name in plain.columns if plain[name].notna().any()]
    return tuple(f.sort_values(order, ignore_index=True)[held] for f in (ours, plain))


@pytest.mark.parametrize("idiom", IDIOMS)
def test_an_idiom_gives_what_it_gives_on_plain_lists(idiom, comparable):
    """An ordinary line of pandas does on our cards what it does on a frame of Python lists."""
    found, wanted = map(IDIOMS[idiom], comparable)
    same(found, wanted)


def test_the_types_are_those_of_plain_lists(comparable):
    """Column by column the type is pandas' own, or the one with room for missing numbers."""
    ours, plain = (frame.dtypes.astype(str).to_dict() for frame in comparable)
    assert {name: kind.replace("Int64", "float64") for name, kind in ours.items()} == plain


def results_of(snapshots):
    old, new = snapshots
    comparison = compare(old, new)
    yield "breakdown", tv.breakdown(new, ["bank", "expiry"])
    yield "expires_on", tv.breakdown(new, "expires_on")
    yield "expiring", tv.expiring(new, "900D", as_of=AS_OF)
    yield "expired_but_active", expired_but_active(new, as_of=AS_OF)
    yield "outlook", expiry_outlook(new, as_of=AS_OF)
    yield "calendar", expiry_calendar(new, as_of=AS_OF)
    yield "at risk", customers_at_risk(new, 900, as_of=AS_OF)
    yield "customers", customer_outlook(new, as_of=AS_OF)
    yield "events", comparison.events
    yield "summary", comparison.summary
    yield "by bank", comparison.by("bank")
    yield "identity", tv.identity(new, threshold=2)
    yield "quality", tv.quality(new)
    yield "forecast", tv.forecast([new], as_of=AS_OF)
    yield "sql", new.sql("SELECT bank, expires_on, count(*) AS cards FROM instruments GROUP BY ALL")
    yield "outcomes", new.sql("SELECT * FROM outcomes")


def test_every_result_is_a_frame_like_any_other(snapshots):
    """Filters, groups, dates, files and concatenation on all results, as on their plain values."""
    seen = []
    for name, result in results_of(snapshots):
        seen.append(name)
        assert isinstance(result, pd.DataFrame)
        rows = result.arrow().to_pylist()
        plain = pd.DataFrame(rows, columns=list(result.columns))
        kinds = {str(kind).split("[")[0] for kind in result.dtypes}
        allowed = {"str", "int64", "Int64", "float64", "bool", "boolean", "datetime64", "object"}
        assert kinds <= allowed, (name, kinds)
        for column in result.columns:
            values = result[column]
            assert values.isna().tolist() == plain[column].isna().tolist(), (name, column)
            if str(values.dtype).startswith("datetime64[us]"):
                days = pd.to_datetime(plain[column])
                pd.testing.assert_series_equal(values < "2027-01-01", days < "2027-01-01")
                pd.testing.assert_series_equal(values.dt.year, days.dt.year, check_dtype=False)
            counted, wanted = (f[column].value_counts().to_dict() for f in (result, plain))
            if not str(values.dtype).startswith("datetime64"):
                assert counted == wanted, (name, column)
        first = result.columns[0]
        half = result[result[first].notna()].head(max(1, len(result) // 2))
        assert type(half) is pd.DataFrame
        assert type(pd.concat([half, half])) is pd.DataFrame
        back = pd.read_csv(io.StringIO(result.to_csv(index=False)))
        assert back.shape == result.shape
        assert (result.title or name) not in repr(half) or name == "outcomes"
        json.loads(result.to_json(orient="records", date_format="iso"))
    assert len(seen) == 16


def test_four_readers_agree_on_what_is_derived(snapshots):
    """pandas, SQL, a breakdown and an export count the same cards by what is derived."""
    snapshot = snapshots[1]
    frame = snapshot.to_pandas(as_of=AS_OF)
    stream = pd.DataFrame(snapshot.with_derived(as_of=AS_OF).read_all().to_pylist())
    for name in ("bank", "expiry", "expires_in"):
        query = f"SELECT {name}, count(*) AS cards FROM instruments GROUP BY 1"
        answers = [
            frame.groupby(name, dropna=False).size().to_dict(),
            stream.groupby(name, dropna=False).size().to_dict(),
            snapshot.sql(query, as_of=AS_OF).set_index(name)["cards"].to_dict(),
            tv.breakdown(snapshot, name, as_of=AS_OF).set_index(name)["cards"].to_dict(),
            tv.breakdown(frame, name, as_of=AS_OF).set_index(name)["cards"].to_dict(),
        ]
        known = [{k if isinstance(k, str) else None: n for k, n in one.items()} for one in answers]
        assert all(one == known[0] for one in known), name
        assert None in known[0]
