//! From a syntax tree to a plan, and from a plan to rows.
//!
//! Planning and optimising cost far more than running most statements, so a [`Plan`] is kept: it names tables, not rows,
//! and has parameters still open. Running one fills the parameters in and makes the physical plan over a snapshot.

use super::constants::{NOBODY, name_user};
use super::derived::Usable;
use super::derived::room::Room;
use super::index::cache::Indexes;
use super::index::rule::ReadInOrder;
use super::planner::{Ignite, Outer};
use super::scan::{BATCH_ROWS, Provider, Snapshot};
use super::segment::cache::Segments;
use super::stop::{Stop, stoppable};
use super::types;
use super::views::View;
use super::{aggregates, check, error, functions, mixed, origin, scope, shape, single};
use crate::error::{Error, Kind, Result};
use crate::sql::metadata::SYSTEM;
use crate::sql::parse::Parsed;
use crate::sql::{Argument, ResultColumn};
use crate::store::catalog::Catalog;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::catalog::TableFunctionArgs;
use datafusion::common::config::{ConfigNonZeroUsize, ConfigOptions};
use datafusion::common::{DFSchema, ParamValues, ScalarValue, TableReference, plan_datafusion_err, plan_err};
use datafusion::datasource::{cte_worktable::CteWorkTable, provider_as_source};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{FunctionRegistry, SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;
use datafusion::sql::planner::{NullOrdering, ParserOptions, PlannerContext, SqlToRel};
use sqlparser::ast::{SetExpr, Statement};
use std::sync::Arc;
use std::thread;

/// Makes plans. One serves all statements.
#[derive(Debug)]
pub struct Planner {
    base: SessionState,
    planners: Vec<Arc<dyn ExprPlanner>>,
    /// The indexes that statements have made.
    pub indexes: Arc<Indexes>,
    /// The columns that statements have read of large tables.
    pub segments: Arc<Segments>,
}

/// A plan with open parameters, good for as long as the catalog it was made for.
#[derive(Debug)]
pub struct Plan {
    logical: LogicalPlan,
    /// The columns of the result.
    pub columns: Arc<[ResultColumn]>,
    /// Whether the plan itself is asked for, not its rows.
    pub explain: bool,
}

impl Planner {
    /// A planner whose statements take `memory` bytes at most, all together; so does what is derived for them.
    pub fn new(memory: usize) -> Result<Self> {
        // Two on one core too: what is read in parts is kept.
        let parts = thread::available_parallelism().map_or(1, usize::from).max(2);
        // Only scans are made parallel, where what is above them gains from it: most statements are small, and the loop
        // wants a core too.
        let mut config = SessionConfig::new()
            .with_target_partitions(parts)
            .with_round_robin_repartition(false)
            .with_repartition_joins(false)
            .with_repartition_aggregations(false)
            .with_repartition_windows(false)
            .with_batch_size(BATCH_ROWS)
            .with_information_schema(false);
        config.options_mut().sql_parser.parse_float_as_decimal = true;
        // What does not fit is refused: the disk is for rows.
        let no_disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
            .with_disk_manager_builder(no_disk);
        let runtime = runtime.build_arc().map_err(|e| error::running(&e))?;
        let ignite = Arc::new(Ignite::default());
        let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = vec![Arc::new(ReadInOrder)];
        rules.extend(PhysicalOptimizer::new().rules);
        let mut base = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_physical_optimizer_rules(rules)
            .build();
        for function in functions::all(&ignite) {
            base.register_udf(function).map_err(|e| error::running(&e))?;
        }
        for function in aggregates::all().into_iter().chain([single::udaf()]) {
            base.register_udaf(function).map_err(|e| error::running(&e))?;
        }
        // Planners are asked in turn; ours has the first word.
        let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![ignite];
        planners.extend(base.expr_planners().iter().cloned());
        let room = Room::new(memory);
        Ok(Self { base, planners, indexes: Indexes::new(&room), segments: Segments::new(&room) })
    }

    /// Plans a query over the tables of `catalog`.
    ///
    /// # Errors
    /// `SqlValidation`.
    pub fn plan(
        &self,
        parsed: &Parsed,
        catalog: &Catalog,
        schema: &str,
        zone: Option<&str>,
        user: Option<&str>,
        arguments: &[Argument],
    ) -> Result<Plan> {
        let (mut statement, explain) = match &parsed.statement {
            Statement::Explain { statement, .. } => ((**statement).clone(), true),
            other => (other.clone(), false),
        };
        name_user(&mut statement, user.unwrap_or(NOBODY));
        let mut names = parsed.names.clone();
        let resolved = scope::resolve(&mut statement, catalog, schema, &mut names)?;
        let is_values = matches!(&statement, Statement::Query(query) if matches!(*query.body, SetExpr::Values(_)));
        let mut planners = self.planners.clone();
        planners.insert(0, Arc::new(Outer { tables: resolved.tables }));
        let mut state = self.base.clone();
        state.config_mut().options_mut().execution.time_zone = zone.map(str::to_owned);
        let tables = Tables { state: &state, planners: &planners, catalog, schema };
        let options = ParserOptions::new()
            .with_parse_float_as_decimal(true)
            .with_enable_ident_normalization(false)
            .with_map_string_types_to_utf8view(false)
            .with_default_null_ordering(NullOrdering::NullsMax);
        let types = arguments.iter().map(|argument| Some(parameter(argument))).collect();
        let mut context = PlannerContext::new().with_prepare_param_data_types(types);
        let planner = SqlToRel::new_with_options(&tables, options);
        let written =
            planner.sql_statement_to_plan_with_context(statement, &mut context).map_err(|e| error::planning(&e))?;
        check::plan(&written).map_err(|e| error::planning(&e))?;
        let written = mixed::as_doubles(written).map_err(|e| error::planning(&e))?;
        let origins = if resolved.merges { Vec::new() } else { origin::of(&written, catalog, schema) };
        // Functions that tell the time are constants of the plan; see `tells_who_or_when`.
        state.mark_start_execution();
        let logical = state.optimize(&written).map_err(|e| error::planning(&e))?;
        let mut columns = Vec::new();
        for (place, (field, shape)) in logical.schema().fields().iter().zip(shape::of(&written)).enumerate() {
            let ty = match field.data_type() {
                DataType::Null => None,
                _ => Some(shape.column_type(field).ok_or_else(|| unknown_type(field))?),
            };
            let name = match is_values {
                true => format!("EXPR${place}"),
                false => names.shown(field.name()).to_owned(),
            };
            columns.push(ResultColumn { name, ty, nullable: shape.nullable, origin: None });
        }
        for (column, origin) in columns.iter_mut().zip(origins) {
            column.origin = origin;
        }
        Ok(Plan { logical, columns: columns.into(), explain })
    }

    /// Starts a plan on a snapshot, with so many rows in a batch. `stop` ends it.
    ///
    /// # Errors
    /// `SqlRuntime` and those of the plan's parts.
    pub async fn start(
        &self,
        plan: &Plan,
        snapshot: Arc<Snapshot>,
        zone: Option<&str>,
        arguments: &[Argument],
        batch_rows: usize,
        stop: &Stop,
    ) -> Result<SendableRecordBatchStream> {
        let mut state = self.session(snapshot, zone);
        let rows = ConfigNonZeroUsize::try_new(batch_rows).map_err(|e| error::running(&e))?;
        state.config_mut().options_mut().execution.batch_size = rows;
        let usable = Usable::new(&self.indexes, &self.segments);
        state.config_mut().set_extension(Arc::clone(&usable));
        let mut physical = self.physical(plan, &state, arguments).await?;
        while !usable.make(&physical).await.map_err(|e| error::running(&e))? {
            physical = self.physical(plan, &state, arguments).await?;
        }
        let physical = stoppable(physical, stop).map_err(|e| error::running(&e))?;
        execute_stream(physical, state.task_ctx()).map_err(|e| error::running(&e))
    }

    /// The text of a plan.
    pub async fn explain(&self, plan: &Plan, snapshot: Arc<Snapshot>, arguments: &[Argument]) -> Result<String> {
        let mut state = self.session(snapshot, None);
        state.config_mut().set_extension(Usable::new(&self.indexes, &self.segments));
        let physical = self.physical(plan, &state, arguments).await?;
        Ok(displayable(physical.as_ref()).indent(false).to_string())
    }

    fn session(&self, snapshot: Arc<Snapshot>, zone: Option<&str>) -> SessionState {
        let mut state = self.base.clone();
        state.config_mut().options_mut().execution.time_zone = zone.map(str::to_owned);
        state.config_mut().set_extension(snapshot);
        state.mark_start_execution();
        state
    }

    async fn physical(
        &self,
        plan: &Plan,
        state: &SessionState,
        arguments: &[Argument],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filled;
        let logical = match arguments {
            [] => &plan.logical,
            _ => {
                let values = arguments.iter().map(scalar).collect::<Result<Vec<_>>>()?;
                let values = ParamValues::from(values);
                filled = plan.logical.clone().replace_params_with_values(&values).map_err(|e| error::planning(&e))?;
                &filled
            }
        };
        let planner = DefaultPhysicalPlanner::default();
        planner.create_physical_plan(logical, state).await.map_err(|e| error::planning(&e))
    }
}

/// The field that a parameter's value implies.
fn parameter(argument: &Argument) -> FieldRef {
    // Without an exact type: rows of VALUES must agree in it.
    Arc::new(Field::new("?", argument.ty.map_or(DataType::Null, types::to_arrow), true))
}

fn scalar(argument: &Argument) -> Result<ScalarValue> {
    let Some(ty) = argument.ty else { return Ok(ScalarValue::Null) };
    let mut builder = super::arrays::ColumnBuilder::new(ty, 1);
    builder.push(&argument.value)?;
    ScalarValue::try_from_array(&builder.finish(), 0).map_err(|e| error::running(&e))
}

fn unknown_type(field: &Field) -> Error {
    let text = format!("Column '{}' has the type {}, which no client knows", field.name(), field.data_type());
    Error::new(Kind::SqlValidation, format!("Failed to validate query. {text}"))
}

/// The table that a name means.
pub(super) fn find<'c>(
    catalog: &'c Catalog,
    schema: &str,
    name: &TableReference,
) -> Option<&'c Arc<crate::store::catalog::Table>> {
    match name {
        TableReference::Full { .. } => None,
        _ => catalog.table_by_name(name.schema().unwrap_or(schema), name.table()),
    }
}

/// What names mean to the planner.
struct Tables<'a> {
    state: &'a SessionState,
    planners: &'a [Arc<dyn ExprPlanner>],
    catalog: &'a Catalog,
    schema: &'a str,
}

impl ContextProvider for Tables<'_> {
    fn get_table_source(&self, name: TableReference) -> datafusion::common::Result<Arc<dyn TableSource>> {
        if name.schema().unwrap_or(self.schema) == SYSTEM
            && let Some(view) = View::find(name.table())
        {
            return Ok(provider_as_source(Arc::new(view)));
        }
        let table = find(self.catalog, self.schema, &name);
        let table = table.ok_or_else(|| plan_datafusion_err!("Object '{}' not found", name.table()))?;
        Ok(provider_as_source(Arc::new(Provider::new(Arc::clone(table), self.catalog))))
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> datafusion::common::Result<Arc<dyn TableSource>> {
        let Some(function) = self.state.table_functions().get(&name.to_lowercase()) else {
            return plan_err!("No match found for function signature {name}");
        };
        let schema = DFSchema::empty();
        let context = datafusion::logical_expr::simplify::SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .build();
        let simplifier = datafusion::optimizer::simplify_expressions::ExprSimplifier::new(context);
        let args = args.into_iter().map(|arg| simplifier.coerce(arg, &schema).and_then(|e| simplifier.simplify(e)));
        let args = args.collect::<datafusion::common::Result<Vec<_>>>()?;
        let provider = function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(provider))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> datafusion::common::Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(super::cast::Types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(&name.to_lowercase()).cloned()
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(&name.to_lowercase()).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(&name.to_lowercase()).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
