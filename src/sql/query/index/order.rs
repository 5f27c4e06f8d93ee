//! The bytes by which an index sorts.
//!
//! ```text
//! entry    the columns of the index, then the key of the row
//! column   00 NULL that comes first, 01 value, 02 NULL that comes last
//! value    as in a key (see `store::key`), all bits inverted if the largest comes first; but
//!          FLOAT, DOUBLE          IEEE's total order: NaNs by their bits
//!          UUID                   16 bytes
//!          DATETIME, TIMESTAMP    cut to microseconds
//!          DECIMAL                rounded to the scale that queries calculate with
//! ```
//!
//! An index sorts what queries see, so that its order is exactly that of a sort of the rows. A key sorts what is stored:
//! it tells apart what queries do not, and has the order of Ignite.

use super::super::types;
use crate::error::Result;
use crate::store::catalog::Table;
use crate::store::column::Column;
use crate::store::key::{self, Key};
use crate::store::objects::Order;
use crate::value::{ColumnType, Value};
use crate::wire::binary_tuple;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use std::sync::Arc;

const NULL_FIRST: u8 = 0;
const VALUE: u8 = 1;
const NULL_LAST: u8 = 2;
/// Digits of the second that queries see.
const SECOND_DIGITS: u8 = 6;

/// A column that rows are sorted by.
#[derive(Debug, Clone)]
pub struct Sorted {
    /// The column.
    pub column: Arc<Column>,
    /// Its position in the table's newest schema version.
    pub at: usize,
    /// Its order in an index; none for a column of a key.
    pub order: Option<Order>,
}

impl Sorted {
    /// The columns of a table's key.
    pub fn key_of(table: &Table) -> Vec<Self> {
        let schema = table.newest();
        let column = |&at: &usize| Some(Self { column: Arc::clone(schema.columns.get(at)?), at, order: None });
        schema.key.iter().filter_map(column).collect()
    }

    /// Whether an index can sort by a column of this type.
    pub fn can_be(ty: ColumnType) -> bool {
        !matches!(ty, ColumnType::Period | ColumnType::Duration)
    }

    /// Whether the largest comes first.
    pub fn is_descending(&self) -> bool {
        self.order.is_some_and(|order| order.descending)
    }

    /// Whether the bytes sort as Arrow sorts the values. Those of a key do not for a UUID, which keys order as Java does,
    /// and for NaN.
    pub fn sorts_as_arrow(&self) -> bool {
        self.order.is_some()
            || !matches!(
                self.column.ty,
                ColumnType::Uuid | ColumnType::Float | ColumnType::Double | ColumnType::Bitmask { .. }
            )
    }

    /// Whether the bytes tell apart what is equal in Arrow.
    pub fn is_finer_than_arrow(&self) -> bool {
        self.order.is_none()
            && match self.column.ty {
                ColumnType::Datetime { precision } | ColumnType::Timestamp { precision } => precision > SECOND_DIGITS,
                ty @ ColumnType::Decimal { scale, .. } => {
                    arrow_scale(ty).is_none_or(|kept| i64::from(kept) < scale.into())
                }
                ColumnType::Float | ColumnType::Double => true,
                _ => false,
            }
    }

    /// The order as Arrow names it.
    pub fn options(&self) -> SortOptions {
        self.order.map_or_else(SortOptions::default, |order| SortOptions {
            descending: order.descending,
            nulls_first: order.nulls_first,
        })
    }

    /// Appends what all values but NULL begin with.
    pub fn push_head(&self, key: &mut Key) {
        if self.order.is_some() {
            key.push(VALUE);
        }
    }

    /// Appends a value of the column.
    ///
    /// # Errors
    /// `LimitExceeded` if the key is too long.
    pub fn push(&self, key: &mut Key, value: &Value<'_>) -> Result<()> {
        match self.order {
            None => key::push(key, value, self.column.ty),
            Some(order) => push(key, value, self.column.ty, order),
        }
    }

    /// Appends a stored element of the column.
    ///
    /// # Errors
    /// As [`Self::push`]; `Protocol` for bytes that are no value of the type.
    pub fn push_element(&self, key: &mut Key, element: Option<&[u8]>) -> Result<()> {
        use ColumnType as T;
        match (self.order, self.column.ty, element) {
            // From bytes to bytes.
            (Some(order), ty @ (T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::String { .. }), Some(element)) => {
                in_order(key, order, |key| key::push_element(key, element, ty))
            }
            (_, _, None) => self.push(key, &Value::Null),
            (_, ty, Some(element)) => self.push(key, &binary_tuple::decode(element, ty)?),
        }
    }
}

fn push(key: &mut Key, value: &Value<'_>, ty: ColumnType, order: Order) -> Result<()> {
    if matches!(value, Value::Null) {
        key.push(if order.nulls_first { NULL_FIRST } else { NULL_LAST });
        return Ok(());
    }
    in_order(key, order, |key| match value {
        Value::Float(v) => {
            let bits = v.to_bits();
            key.extend_from_slice(&if bits >> 31 == 1 { !bits } else { bits ^ (1 << 31) }.to_be_bytes());
            Ok(())
        }
        Value::Double(v) => {
            let bits = v.to_bits();
            key.extend_from_slice(&if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) }.to_be_bytes());
            Ok(())
        }
        Value::Uuid(v) => {
            key.extend_from_slice(&v.to_be_bytes());
            Ok(())
        }
        Value::Datetime(date, time) => key::push(key, &Value::Datetime(*date, time.truncated(SECOND_DIGITS)), ty),
        Value::Timestamp(point) => key::push(key, &Value::Timestamp(point.truncated(SECOND_DIGITS)), ty),
        Value::Decimal(v) => {
            let v = arrow_scale(ty).map_or_else(|| v.clone(), |scale| v.rescaled(scale.into()));
            key::push(key, &Value::Decimal(v), ty)
        }
        value => key::push(key, value, ty),
    })
}

/// The digits behind the point that a decimal has in Arrow.
fn arrow_scale(ty: ColumnType) -> Option<i8> {
    match types::to_arrow(ty) {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => Some(scale),
        _ => None,
    }
}

/// Appends a value, turned around if the largest comes first.
fn in_order(key: &mut Key, order: Order, push: impl FnOnce(&mut Key) -> Result<()>) -> Result<()> {
    key.push(VALUE);
    let start = key.len();
    push(key)?;
    if order.descending {
        key.invert_from(start);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::arrays::ColumnBuilder;
    use super::*;
    use crate::store::catalog::tests::column;
    use crate::value::{Date, Decimal, Time, Timestamp, UNLIMITED};
    use datafusion::arrow::array::{ArrayRef, make_comparator};
    use std::cmp::Ordering;

    const ORDERS: [Order; 4] = [
        Order { descending: false, nulls_first: false },
        Order { descending: false, nulls_first: true },
        Order { descending: true, nulls_first: false },
        Order { descending: true, nulls_first: true },
    ];

    fn sorted(ty: ColumnType, order: Order) -> Sorted {
        Sorted { column: Arc::new(column(1, "c", ty, None)), at: 0, order: Some(order) }
    }

    fn array(ty: ColumnType, values: &[Value<'_>]) -> ArrayRef {
        let mut builder = ColumnBuilder::new(ty, values.len());
        values.iter().for_each(|value| builder.push(value).unwrap());
        builder.finish()
    }

    fn entry(sorted: &Sorted, value: &Value<'_>) -> Key {
        let (mut from_value, mut from_element, mut element) = (Key::new(), Key::new(), Vec::new());
        sorted.push(&mut from_value, value).unwrap();
        if !matches!(value, Value::Null) {
            binary_tuple::encode(&mut element, value, sorted.column.ty);
        }
        sorted.push_element(&mut from_element, (!element.is_empty()).then_some(&element)).unwrap();
        assert_eq!(from_value, from_element);
        from_value
    }

    /// The values, and NULL, compare by their entries exactly as by Arrow, equality included.
    fn assert_as_arrow(ty: ColumnType, values: &[Value<'_>]) {
        let values: Vec<_> = values.iter().cloned().chain([Value::Null]).collect();
        let arrow = array(ty, &values);
        for order in ORDERS {
            let sorted = sorted(ty, order);
            let entries: Vec<_> = values.iter().map(|value| entry(&sorted, value)).collect();
            let compare = make_comparator(&arrow, &arrow, sorted.options()).unwrap();
            for (i, a) in entries.iter().enumerate() {
                for (j, b) in entries.iter().enumerate() {
                    assert_eq!(a.cmp(b), compare(i, j), "{ty} {order:?}: {} and {}", values[i], values[j]);
                }
            }
        }
    }

    #[test]
    fn every_type_sorts_as_arrow_sorts_it() {
        let dec = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
        let day = |y, m, d| Date::new(y, m, d).unwrap();
        let clock = |h, nanos| Time::new(h, 59, 0, nanos).unwrap();
        let ints = [-128, -1, 0, 1, 127].map(Value::Int);
        for ty in [ColumnType::Int8, ColumnType::Int16, ColumnType::Int32, ColumnType::Int64] {
            assert_as_arrow(ty, &ints);
        }
        assert_as_arrow(ColumnType::Boolean, &[Value::Bool(false), Value::Bool(true)]);
        let doubles = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-300, 2.0, f64::INFINITY, f64::NAN, -f64::NAN];
        assert_as_arrow(ColumnType::Double, &doubles.map(Value::Double));
        assert_as_arrow(ColumnType::Float, &[-1.5, -0.0, 0.0, 2.5, f32::NAN, -f32::NAN].map(Value::Float));
        let decimals = ["-1000.5", "-1", "-0.25", "-0.2", "0", "0.00", "0.1", "0.10", "7", "7.5", "10", "999"].map(dec);
        assert_as_arrow(ColumnType::Decimal { precision: 9, scale: 2 }, &decimals);
        assert_as_arrow(ColumnType::Decimal { precision: 60, scale: 2 }, &decimals);
        let whole = [dec("-5"), dec("0"), dec("123456789012345678901234567890")];
        assert_as_arrow(ColumnType::Number { precision: 38 }, &whole);
        // More digits than queries see.
        let free = ColumnType::Decimal { precision: UNLIMITED, scale: UNLIMITED };
        let fine =
            ["1.0000000000000000001", "1.0000000000000000002", "1", "1.00000000000000001", "-1.0000000000000000001"];
        assert_as_arrow(free, &fine.map(dec));
        assert_as_arrow(ColumnType::Date, &[day(1, 1, 1), day(1969, 12, 31), day(1970, 2, 1)].map(Value::Date));
        assert_as_arrow(ColumnType::Time { precision: 9 }, &[clock(0, 0), clock(0, 1), clock(23, 5)].map(Value::Time));
        let moments = [(1969, 999), (1969, 1_000), (1969, 1_001), (1970, 0)]
            .map(|(year, nanos)| Value::Datetime(day(year, 1, 1), clock(1, nanos)));
        assert_as_arrow(ColumnType::Datetime { precision: 9 }, &moments);
        let points = [(-1, 0), (-1, 999), (-1, 1_000), (0, 0), (0, 1), (5, 999_999_999)]
            .map(|(seconds, nanos)| Value::Timestamp(Timestamp { seconds, nanos }));
        assert_as_arrow(ColumnType::Timestamp { precision: 9 }, &points);
        assert_as_arrow(ColumnType::Uuid, &[0, 1, 1 << 63, 1 << 64, 1 << 127, u128::MAX].map(Value::Uuid));
        let texts = ["", "\0", "\0a", "a", "a\0", "aa", "b", "\u{e9}", "\u{10000}"].map(|text| Value::Str(text.into()));
        assert_as_arrow(ColumnType::String { length: UNLIMITED }, &texts);
        let bytes = [&[][..], &[0], &[0, 0], &[0, 1], &[1], &[255], &[255, 0]].map(|bytes| Value::Bytes(bytes.into()));
        assert_as_arrow(ColumnType::Bytes { length: UNLIMITED }, &bytes);
        let masks = [&[1][..], &[0, 1], &[2], &[255, 3]].map(|bytes| Value::Bytes(bytes.into()));
        assert_as_arrow(ColumnType::Bitmask { bits: 10 }, &masks);
    }

    #[test]
    fn what_has_no_order_is_no_column_of_an_index() {
        assert!(!Sorted::can_be(ColumnType::Period) && !Sorted::can_be(ColumnType::Duration));
    }

    proptest::proptest! {
        #[test]
        fn rows_of_several_columns_sort_as_by_the_engine(
            rows in proptest::collection::vec((proptest::option::of("[ab\0]{0,3}"), proptest::option::of(-2_i64..3), 0_u64..), 0..20),
            orders in (0_usize..4, 0_usize..4, 0_usize..4),
        ) {
            let types = [ColumnType::String { length: UNLIMITED }, ColumnType::Int16, ColumnType::Double];
            let orders = [orders.0, orders.1, orders.2].map(|n| ORDERS[n]);
            let value = |column: usize, (text, number, bits): &(Option<String>, Option<i64>, u64)| match column {
                0 => text.as_ref().map_or(Value::Null, |text| Value::Str(text.clone().into())),
                1 => number.map_or(Value::Null, Value::Int),
                _ => Value::Double(f64::from_bits(*bits)),
            };
            let parts: Vec<_> = types.iter().zip(orders).map(|(ty, order)| sorted(*ty, order)).collect();
            let compare: Vec<_> = parts.iter().enumerate().map(|(c, part)| {
                let array = array(part.column.ty, &rows.iter().map(|row| value(c, row)).collect::<Vec<_>>());
                make_comparator(&array, &array, part.options()).unwrap()
            }).collect();
            let entry = |row| {
                let mut key = Key::new();
                parts.iter().enumerate().for_each(|(c, part)| part.push(&mut key, &value(c, row)).unwrap());
                key
            };
            for (i, a) in rows.iter().enumerate() {
                for (j, b) in rows.iter().enumerate() {
                    let expected = compare.iter().map(|c| c(i, j)).find(|o| *o != Ordering::Equal);
                    proptest::prop_assert_eq!(entry(a).cmp(&entry(b)), expected.unwrap_or(Ordering::Equal));
                }
            }
        }
    }
}
