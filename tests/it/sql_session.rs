//! A server and a client that speaks SQL, for tests.

use flint::TestServer;
use flint::client::ga::{Argument, Client, SqlOptions};
use flint::value::Value;

/// A server and a client.
pub struct Session {
    pub server: TestServer,
    pub client: Client,
    pub options: SqlOptions,
}

impl Session {
    pub fn new(setup: &str) -> Self {
        let server = TestServer::start();
        server.sql(setup).unwrap();
        let client = Client::connect(server.addr()).unwrap();
        Self { server, client, options: SqlOptions::default() }
    }

    pub fn rows_of(&mut self, text: &str, arguments: &[Argument]) -> Vec<Vec<Value<'static>>> {
        let result = self.client.sql(text, arguments, &self.options).unwrap_or_else(|e| panic!("{text}: {e}"));
        result.all(&mut self.client).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    /// Rows as text: columns separated by blanks, rows by commas.
    pub fn query(&mut self, text: &str) -> String {
        let row = |row: &Vec<Value<'static>>| row.iter().map(shown).collect::<Vec<_>>().join(" ");
        self.rows_of(text, &[]).iter().map(row).collect::<Vec<_>>().join(", ")
    }

    pub fn plan(&mut self, text: &str) -> String {
        self.query(&format!("EXPLAIN PLAN FOR {text}"))
    }

    pub fn change(&mut self, text: &str) {
        self.client.sql(text, &[], &self.options).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

/// A value as text.
pub fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        other => other.to_string(),
    }
}
