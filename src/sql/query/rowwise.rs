//! Functions that are told by what they do with one row: a type rule, and values in, value out.
//!
//! They are not the fast way, but the short one: right for functions that nobody calls a million times a second. A null
//! among the arguments makes a null.

use super::arrays::{ColumnBuilder, value_at};
use super::scan::external;
use super::shape::NULLING;
use super::types;
use crate::error::{Error, Kind};
use crate::value::{ColumnType, Value};
use datafusion::arrow::array::{ArrayRef, NullArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What the planner knows of an argument: its type, `None` for a bare NULL, and its text if it is a literal one.
#[derive(Debug)]
pub struct Known {
    /// The type.
    pub ty: Option<ColumnType>,
    /// The text of a literal.
    pub literal: Option<String>,
}

/// The type of a call's result; `Ok(None)` for a bare NULL, `Err` for what Ignite says of arguments that do not fit.
pub type TypeRule = fn(&[Known]) -> std::result::Result<Option<ColumnType>, String>;

/// The value of a call; no argument is null, unless the function is of nulls.
pub type RowRule = fn(&[Value<'_>], ColumnType) -> crate::error::Result<Value<'static>>;

/// One function.
#[derive(Debug)]
pub struct RowFunction {
    name: &'static str,
    aliases: Vec<String>,
    /// How many arguments it takes, at least and at most.
    arity: (usize, usize),
    ty: TypeRule,
    row: RowRule,
    /// Whether it answers something where an argument is null; then it never answers null.
    takes_nulls: bool,
    signature: Signature,
}

impl RowFunction {
    /// A function that depends on its arguments alone.
    pub fn udf(names: &[&'static str], arity: (usize, usize), ty: TypeRule, row: RowRule) -> Arc<ScalarUDF> {
        Self::with_volatility(names, arity, ty, row, Volatility::Immutable)
    }

    /// A function to which nulls are values.
    pub fn of_nulls(name: &'static str, arity: (usize, usize), ty: TypeRule, row: RowRule) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self {
            takes_nulls: true,
            ..Self::new(&[name], arity, ty, row, Volatility::Immutable)
        }))
    }

    /// A function; the first name is its own, the others are aliases.
    pub fn with_volatility(
        names: &[&'static str],
        arity: (usize, usize),
        ty: TypeRule,
        row: RowRule,
        volatility: Volatility,
    ) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self::new(names, arity, ty, row, volatility)))
    }

    fn new(names: &[&'static str], arity: (usize, usize), ty: TypeRule, row: RowRule, volatility: Volatility) -> Self {
        let signature = match arity {
            (_, 0) => Signature::nullary(volatility),
            _ => Signature::user_defined(volatility),
        };
        let (name, aliases) = names.split_first().map_or(("", Vec::new()), |(name, aliases)| {
            (*name, aliases.iter().map(|alias| (*alias).to_owned()).collect())
        });
        Self { name, aliases, arity, ty, row, takes_nulls: false, signature }
    }
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &'static str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (min, max) = self.arity;
        if !(min..=max).contains(&types.len()) {
            return plan_err!(
                "Invalid number of arguments to function '{}'. Was expecting {min} arguments",
                self.name.to_uppercase()
            );
        }
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on more than types", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let known = args.arg_fields.iter().zip(args.scalar_arguments).map(|(field, literal)| Known {
            ty: match field.data_type() {
                DataType::Null => None,
                _ => types::of_field(field),
            },
            literal: literal.and_then(|literal| literal.try_as_str().flatten()).map(str::to_owned),
        });
        let known: Vec<_> = known.collect();
        let nullable = NULLING.contains(&self.name)
            || !self.takes_nulls && args.arg_fields.iter().any(|field| field.is_nullable());
        match (self.ty)(&known) {
            Ok(Some(ty)) => Ok(Arc::new(types::field(self.name, ty, nullable))),
            Ok(None) => Ok(Arc::new(Field::new(self.name, DataType::Null, true))),
            Err(text) => plan_err!("{text}"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) && !args.args.is_empty();
        let rows = if scalar { 1 } else { args.number_rows };
        let Some(ty) = types::of_field(&args.return_field).filter(|_| !args.return_field.data_type().is_null()) else {
            return Ok(ColumnarValue::Array(Arc::new(NullArray::new(rows))));
        };
        let arrays: Vec<ArrayRef> = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<_>>()?;
        let mut out = ColumnBuilder::new(ty, rows);
        let mut values = Vec::with_capacity(arrays.len());
        for row in 0..rows {
            values.clear();
            for array in &arrays {
                let null = array.data_type().is_null() || array.is_null(row);
                values.push(if null { Value::Null } else { value_at(array, row).map_err(external)? });
            }
            match !self.takes_nulls && values.contains(&Value::Null) {
                true => out.push_null(),
                false => {
                    let value = (self.row)(&values, ty).map_err(external)?;
                    out.push(&value).map_err(external)?;
                }
            }
        }
        let array = out.finish();
        match scalar {
            true => ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}

/// What Ignite says of arguments that do not fit: the call with their types.
pub fn cannot_apply(name: &str, args: &[Known]) -> String {
    let types: Vec<_> = args.iter().map(|arg| arg.ty.map_or_else(|| "NULL".to_owned(), |ty| ty.to_string())).collect();
    format!("Cannot apply '{name}' to arguments of type '{name}(<{}>)'", types.join(">, <"))
}

/// A failure at run time.
pub fn failed(text: impl std::fmt::Display) -> Error {
    Error::new(Kind::SqlRuntime, text.to_string())
}

/// A value that the type rule has excluded.
pub fn unexpected(value: &Value<'_>) -> Error {
    Error::new(Kind::Internal, format!("a {} where the type rule lets none pass", value.type_name()))
}
