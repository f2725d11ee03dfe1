import pyarrow as pa

from tokenvault_data.dataset.flattening.canonical import LEAVES, column_of
from tokenvault_data.dataset.schema import CATEGORIES, INSTRUMENTS, OUTCOMES


def test_every_column_is_described():
    """A reader of any file finds out from the file itself what each column means."""
    for schema in (INSTRUMENTS, OUTCOMES):
        for field in schema:
            assert len(field.metadata[b"description"]) > 10, field.name


def test_every_field_of_the_instrument_has_a_column():
    """Nothing the vault documents is left to `extra`."""
    assert {column_of(leaf) for leaf in LEAVES} <= set(INSTRUMENTS.names)


def test_the_schema_is_pinned():
    """Changing a name, an order or a type is noticed, and calls for a new schema version."""
    text = ";".join(f"{f.name}:{f.type}" for f in INSTRUMENTS)
    category = "dictionary<values=string, indices=int32, ordered=0>"
    assert text.replace(category, "category") == (
        "customer_id:string;list_position:int32;instrument_id:string;instrument_uid:string;"
        "instrument_type:category;instrument_status:category;instrument_display:string;"
        "last_four:string;afa_reference:string;created_at:timestamp[us, tz=UTC];"
        "card_network:category;card_bank:category;card_country:category;card_type:category;"
        "card_sub_type:category;par:string;expiry_month:int8;expiry_year:int16;"
        "expires_on:date32[day];fetched_at:timestamp[us, tz=UTC];api_version:category;"
        "anomalies:string;extra:string;customer_id_received:string;"
        "instrument_type_received:category;instrument_status_received:category;"
        "created_at_received:string;card_network_received:category;card_bank_received:category;"
        "card_country_received:category;card_type_received:category;"
        "card_sub_type_received:category;expiry_month_received:category;"
        "expiry_year_received:category"
    )


def test_categories_are_the_dictionary_columns():
    """The list of low-cardinality columns and the schema cannot drift apart."""
    assert {f.name for f in INSTRUMENTS if pa.types.is_dictionary(f.type)} == set(CATEGORIES)
