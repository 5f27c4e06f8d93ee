//! A WITH clause that has a name twice: the later query takes the name over.

use super::normal::quoted;
use sqlparser::ast::{Cte, ObjectName, ObjectNamePart, Query, TableAlias, TableFactor, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// Gives the earlier of two queries of one name another, for those before the later one and the later one itself.
pub(super) fn names_again(query: &mut Query) {
    let Some(with) = query.with.as_mut().filter(|with| !with.recursive) else { return };
    for place in 0..with.cte_tables.len() {
        let Some((earlier, later)) = with.cte_tables.split_at_mut_checked(place + 1) else { return };
        let Some(cte) = earlier.last_mut() else { return };
        let name = cte.alias.name.value.clone();
        let Some(again) = later.iter().position(|later| later.alias.name.value == name) else { continue };
        let unique = format!("{name}\u{1f}{place}");
        cte.alias.name = quoted(&unique);
        rename(later.iter_mut().take(again + 1), &name, &unique);
    }
}

fn rename<'c>(queries: impl Iterator<Item = &'c mut Cte>, name: &str, unique: &str) {
    let mut renaming = Renaming { name, unique };
    for cte in queries {
        let _: ControlFlow<()> = cte.query.visit(&mut renaming);
    }
}

struct Renaming<'a> {
    name: &'a str,
    unique: &'a str,
}

impl VisitorMut for Renaming<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = relation
            && let [ObjectNamePart::Identifier(ident)] = name.0.as_slice()
            && ident.value == self.name
        {
            let ident = ident.clone();
            *name = ObjectName::from(vec![quoted(self.unique)]);
            alias.get_or_insert_with(|| TableAlias { explicit: true, name: ident, columns: Vec::new(), at: None });
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::calls::parsed;

    #[test]
    fn the_later_query_has_the_name() {
        let told = |sql: &str| {
            let mut query = *parsed(sql, |parser| parser.parse_query()).unwrap();
            names_again(&mut query);
            query.to_string().replace('\u{1f}', "_")
        };
        assert_eq!(
            told("WITH X AS (SELECT 1), Y AS (SELECT X.A FROM X), X AS (SELECT 2 FROM X) SELECT A FROM X"),
            "WITH \"X_0\" AS (SELECT 1), Y AS (SELECT X.A FROM \"X_0\" AS X), X AS (SELECT 2 FROM \"X_0\" AS X) SELECT A FROM X"
        );
        let once = "WITH X AS (SELECT 1), Y AS (SELECT A FROM X) SELECT A FROM X";
        assert_eq!(told(once), once);
    }
}
