package flint.scenario;

import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.ignite.table.RecordView;
import org.apache.ignite.table.Table;
import org.apache.ignite.table.Tuple;

/** Names of tables and columns, DDL and its errors, defaults and NOT NULL, and schema change under a live table object. */
final class Tables {
    private Tables() {
    }

    static void register(Map<String, Scenario> all) {
        all.put("table/connect", Tables::connect);
        all.put("table/names", Tables::names);
        all.put("table/column-names", Tables::columnNames);
        all.put("table/ddl", Tables::ddl);
        all.put("table/ddl-types", Tables::ddlTypes);
        all.put("table/defaults", Tables::defaults);
        all.put("table/not-null", Tables::notNull);
        all.put("schema/add-column", Tables::addColumn);
        all.put("schema/drop-column", Tables::dropColumn);
        all.put("schema/drop-table", Tables::dropTable);
        all.put("schema/many-changes", Tables::manyChanges);
    }

    private static void connect(Script s) {
        s.step("connections", () -> s.client().connections().size());
        s.step("cluster nodes", () -> s.client().clusterNodes().size());
        s.step("the connected node is the cluster's", () -> s.client().clusterNodes().iterator().next().name()
                .equals(s.client().connections().get(0).name()));
        s.step("a second client", () -> {
            try (var other = s.connect()) {
                return other.connections().size();
            }
        });
    }

    private static void names(Script s) {
        for (String name : List.of("N_UPPER", "n_lower", "\"n_Mixed\"", "\"n with \"\"quotes\"\" and . dots\"", "\"n_\u00e9\"")) {
            s.setUp("DROP TABLE IF EXISTS " + name);
            s.sql("CREATE TABLE " + name + " (ID INT PRIMARY KEY, V INT)");
        }
        s.step("tables", () -> Text.sorted(s.client().tables().tables().stream().map(Table::name)
                .filter(n -> n.toLowerCase().replace("public.", "").replace("\"", "").matches("n[_ ].*")).toList()));
        for (String name : List.of("N_UPPER", "n_upper", "\"N_UPPER\"", "\"n_upper\"", "N_LOWER", "n_lower", "\"n_lower\"",
                "n_Mixed", "\"n_Mixed\"", "PUBLIC.N_UPPER", "public.n_upper", "\"PUBLIC\".\"N_UPPER\"", "\"public\".N_UPPER",
                "NO_SCHEMA.N_UPPER", "NO_SUCH", "\"n with \"\"quotes\"\" and . dots\"", "\"n_\u00e9\"", "", " ", "a b", "1a",
                "a.b.c", "\"", "\"a", "a\"b", "SYSTEM.TABLES", "INFORMATION_SCHEMA.TABLES")) {
            s.step("table(" + name + ")", () -> {
                Table table = s.client().tables().table(name);
                return table == null ? "null" : table.name();
            });
        }
        s.step("operation on a mixed-case table", () -> {
            RecordView<Tuple> v = s.client().tables().table("\"n_Mixed\"").recordView();
            v.upsert(null, Tuple.create().set("ID", 1).set("V", 2));
            return v.get(null, Tuple.create().set("ID", 1));
        });
    }

    private static void columnNames(Script s) {
        RecordView<Tuple> v = s.table("COLS", "id INT, \"Mixed\" INT, \"with space\" INT, \"\u00e9\" INT, _x INT, PRIMARY KEY (id)")
                .recordView();
        s.run("upsert", () -> v.upsert(null, Tuple.create().set("ID", 1).set("\"Mixed\"", 2).set("\"with space\"", 3)
                .set("\"\u00e9\"", 4).set("_x", 5)));
        s.step("get", () -> v.get(null, Tuple.create().set("id", 1)));
        s.run("upsert of Mixed without quotes", () -> v.upsert(null, Tuple.create().set("ID", 1).set("Mixed", 2)));
    }

    private static void ddl(Script s) {
        s.setUp("DROP TABLE IF EXISTS D1");
        s.sql("CREATE TABLE D1 (ID INT PRIMARY KEY, V INT)");
        s.sql("CREATE TABLE D1 (ID INT PRIMARY KEY, V INT)");
        s.sql("CREATE TABLE IF NOT EXISTS D1 (ID INT PRIMARY KEY, V INT)");
        s.sql("ALTER TABLE D1 ADD COLUMN W VARCHAR");
        s.sql("ALTER TABLE D1 ADD COLUMN W VARCHAR");
        s.sql("ALTER TABLE D1 ADD COLUMN IF NOT EXISTS W VARCHAR");
        s.sql("ALTER TABLE D1 ADD COLUMN (X INT, Y INT DEFAULT 3)");
        s.sql("ALTER TABLE D1 ADD COLUMN Z INT NOT NULL");
        s.sql("ALTER TABLE D1 ADD COLUMN Z1 INT NOT NULL DEFAULT 4");
        s.sql("ALTER TABLE D1 DROP COLUMN NO_SUCH");
        s.sql("ALTER TABLE D1 DROP COLUMN IF EXISTS NO_SUCH");
        s.sql("ALTER TABLE D1 DROP COLUMN ID");
        s.sql("ALTER TABLE D1 DROP COLUMN W");
        s.sql("ALTER TABLE D1 DROP COLUMN (X, Y)");
        s.sql("ALTER TABLE NO_SUCH ADD COLUMN A INT");
        s.sql("ALTER TABLE NO_SUCH DROP COLUMN A");
        s.sql("ALTER TABLE IF EXISTS NO_SUCH ADD COLUMN A INT");
        s.sql("DROP TABLE NO_SUCH");
        s.sql("DROP TABLE IF EXISTS NO_SUCH");
        s.sql("DROP TABLE NO_SCHEMA.D1");
        s.sql("DROP TABLE PUBLIC.D1");
        s.sql("CREATE TABLE D2 (ID INT, V INT)");
        s.sql("CREATE TABLE D2 (ID INT PRIMARY KEY, ID INT)");
        s.sql("CREATE TABLE D2 (ID INT, PRIMARY KEY (NO_SUCH))");
        s.sql("CREATE TABLE D2 (ID INT, PRIMARY KEY (ID, ID))");
        s.sql("CREATE TABLE D2 (ID INT PRIMARY KEY, V INT, PRIMARY KEY (V))");
        s.sql("CREATE TABLE D2 (ID INT, V INT, PRIMARY KEY (ID)) COLOCATE BY (V)");
        s.sql("CREATE TABLE D2 (ID INT, V INT, PRIMARY KEY (ID)) ZONE NO_SUCH");
        s.sql("CREATE TABLE NO_SCHEMA.D2 (ID INT PRIMARY KEY)");
        s.sql("CREATE TABLE SYSTEM.D2 (ID INT PRIMARY KEY)");
        s.sql("CREATE TABLE D2 (ID NO_TYPE PRIMARY KEY)");
        s.sql("CREATE TABLE D2 ()");
        s.sql("CREATE TABLE D2 (ID INT NULL PRIMARY KEY, V INT NULL)");
        s.sql("CREATE TABLE");
        s.sql("CREATE");
        s.sql("");
        s.sql("not sql");
        s.sql("CREATE TABLE D3 (ID INT PRIMARY KEY);");
        s.sql("CREATE TABLE D4 (ID INT PRIMARY KEY); CREATE TABLE D5 (ID INT PRIMARY KEY)");
        for (String name : List.of("D2", "D3", "D4", "D5")) {
            s.sql("DROP TABLE IF EXISTS " + name);
        }
    }

    private static void ddlTypes(Script s) {
        s.setUp("DROP TABLE IF EXISTS DT");
        for (String type : List.of("VARCHAR(0)", "VARCHAR(-1)", "VARCHAR(2147483647)", "VARCHAR(2147483648)", "VARBINARY(0)",
                "DECIMAL(0)", "DECIMAL(32767, 32767)", "DECIMAL(32768)", "DECIMAL(5, 6)", "DECIMAL(5, -1)", "DECIMAL(38, 39)",
                "TIME(9)", "TIME(10)", "TIMESTAMP(10)", "TIMESTAMP WITH TIME ZONE", "TIME WITH LOCAL TIME ZONE", "FLOAT", "REAL",
                "DOUBLE PRECISION", "NUMERIC(5, 2)", "INTEGER", "CHAR", "CHAR(3)", "BINARY(3)", "CHARACTER VARYING(3)",
                "BINARY VARYING(3)", "TEXT", "BLOB", "INTERVAL YEAR", "INTERVAL DAY", "ROW(A INT)", "INT ARRAY", "JSON")) {
            s.sql("CREATE TABLE DT (ID INT PRIMARY KEY, V " + type + ")");
            s.setUp("DROP TABLE IF EXISTS DT");
        }
    }

    private static void defaults(Script s) {
        RecordView<Tuple> v = s.table("DEF", "ID INT PRIMARY KEY, I INT DEFAULT 5, L BIGINT DEFAULT -7, S VARCHAR DEFAULT 'text',"
                + " D DOUBLE DEFAULT 1.5, C DECIMAL(10, 2) DEFAULT 1.25, B BOOLEAN DEFAULT TRUE, N INT DEFAULT NULL,"
                + " DT DATE DEFAULT DATE '2024-02-29', T TIME DEFAULT TIME '10:20:30', X VARBINARY DEFAULT X'0102',"
                + " TS TIMESTAMP DEFAULT TIMESTAMP '2024-02-29 10:20:30', NN INT NOT NULL DEFAULT 9").recordView();
        s.run("upsert of the key", () -> v.upsert(null, Tuple.create().set("ID", 1)));
        s.step("get", () -> v.get(null, Tuple.create().set("ID", 1)));
        s.run("upsert with an explicit null", () -> v.upsert(null, Tuple.create().set("ID", 2).set("I", null).set("S", null)));
        s.step("get", () -> v.get(null, Tuple.create().set("ID", 2)));
        s.run("explicit null for a NOT NULL default", () -> v.upsert(null, Tuple.create().set("ID", 3).set("NN", null)));
        s.step("replace-exact matches defaults for unset", () -> v.replace(null, Tuple.create().set("ID", 1),
                Tuple.create().set("ID", 1).set("I", 6)));
        s.step("get", () -> v.get(null, Tuple.create().set("ID", 1)));
        RecordView<Tuple> k = s.table("DEFK", "ID UUID DEFAULT RAND_UUID PRIMARY KEY, V INT").recordView();
        s.run("upsert without the key of a generated default", () -> k.upsert(null, Tuple.create().set("V", 1)));
        RecordView<Tuple> k2 = s.table("DEFK2", "ID INT DEFAULT 42 PRIMARY KEY, V INT").recordView();
        s.run("upsert without the key of a constant default", () -> k2.upsert(null, Tuple.create().set("V", 1)));
        s.step("get", () -> k2.get(null, Tuple.create().set("ID", 42)));
        s.step("get without the key", () -> k2.get(null, Tuple.create().set("V", 42)));
        for (String column : List.of("I INT DEFAULT 'a'", "I INT DEFAULT 1.5", "I TINYINT DEFAULT 300", "S VARCHAR(2) DEFAULT 'abc'",
                "I INT DEFAULT 1 + 1", "I INT DEFAULT CURRENT_DATE", "S VARCHAR DEFAULT 5", "C DECIMAL(3, 1) DEFAULT 1.25",
                "C DECIMAL(3, 1) DEFAULT 1000", "U UUID DEFAULT '00000000-0000-0001-0000-000000000002'", "B BOOLEAN DEFAULT 1",
                "D DATE DEFAULT '2024-02-29'")) {
            s.setUp("DROP TABLE IF EXISTS DEF3");
            s.sql("CREATE TABLE DEF3 (ID INT PRIMARY KEY, " + column + ")");
            s.step("the default", () -> {
                Table table = s.client().tables().table("DEF3");
                if (table == null) {
                    return "no table";
                }
                table.recordView().upsert(null, Tuple.create().set("ID", 1));
                return table.recordView().get(null, Tuple.create().set("ID", 1));
            });
        }
    }

    private static void notNull(Script s) {
        RecordView<Tuple> v = s.table("NN", "ID INT PRIMARY KEY, A INT NOT NULL, B VARCHAR NOT NULL, C INT").recordView();
        Tuple good = Tuple.create().set("ID", 1).set("A", 1).set("B", "b");
        s.run("upsert", () -> v.upsert(null, good));
        s.run("upsert without A", () -> v.upsert(null, Tuple.create().set("ID", 2).set("B", "b")));
        s.run("upsert with A null", () -> v.upsert(null, Tuple.create().set("ID", 2).set("A", null).set("B", "b")));
        s.run("upsert without A and B", () -> v.upsert(null, Tuple.create().set("ID", 2)));
        s.step("insert without B", () -> v.insert(null, Tuple.create().set("ID", 2).set("A", 1)));
        s.step("replace without B", () -> v.replace(null, Tuple.create().set("ID", 1).set("A", 1)));
        s.step("delete-exact without B", () -> v.deleteExact(null, Tuple.create().set("ID", 1).set("A", 1)));
        s.run("upsert-all with a bad one", () -> v.upsertAll(null, List.of(Tuple.create().set("ID", 3).set("A", 1).set("B", "b"),
                Tuple.create().set("ID", 4))));
        s.step("get of the good one", () -> v.get(null, Tuple.create().set("ID", 3)));
        s.step("get", () -> v.get(null, Tuple.create().set("ID", 1)));
    }

    private static void addColumn(Script s) {
        RecordView<Tuple> v = s.table("SA", "ID INT PRIMARY KEY, A INT").recordView();
        s.run("upsert", () -> v.upsert(null, Tuple.create().set("ID", 1).set("A", 1)));
        s.sql("ALTER TABLE SA ADD COLUMN B VARCHAR DEFAULT 'new'");
        s.step("old row through the live object", () -> v.get(null, Tuple.create().set("ID", 1)));
        s.run("upsert of the old columns", () -> v.upsert(null, Tuple.create().set("ID", 2).set("A", 2)));
        s.step("get", () -> v.get(null, Tuple.create().set("ID", 2)));
        s.run("upsert of the new columns", () -> v.upsert(null, Tuple.create().set("ID", 3).set("A", 3).set("B", "b")));
        s.step("get", () -> v.get(null, Tuple.create().set("ID", 3)));
        s.sql("ALTER TABLE SA ADD COLUMN C DATE");
        s.run("upsert of a just added column at once",
                () -> v.upsert(null, Tuple.create().set("ID", 4).set("C", LocalDate.of(2024, 1, 1))));
        s.step("get-all", () -> v.getAll(null, List.of(Tuple.create().set("ID", 1), Tuple.create().set("ID", 4))));
        s.run("upsert of an unknown column", () -> v.upsert(null, Tuple.create().set("ID", 4).set("NO_SUCH", 1)));
        s.step("delete-exact of an old row with the default",
                () -> v.deleteExact(null, Tuple.create().set("ID", 1).set("A", 1).set("B", "new").set("C", null)));
        s.sql("ALTER TABLE SA ADD COLUMN N INT NOT NULL DEFAULT 8");
        s.step("old row with a new NOT NULL column", () -> v.get(null, Tuple.create().set("ID", 2)));
    }

    private static void dropColumn(Script s) {
        RecordView<Tuple> v = s.table("SD", "A INT, ID INT PRIMARY KEY, B INT, C VARCHAR").recordView();
        s.run("upsert", () -> v.upsert(null, Tuple.create().set("ID", 1).set("A", 1).set("B", 2).set("C", "c")));
        s.sql("ALTER TABLE SD DROP COLUMN B");
        s.step("old row", () -> v.get(null, Tuple.create().set("ID", 1)));
        s.run("upsert with the dropped column", () -> v.upsert(null, Tuple.create().set("ID", 1).set("A", 1).set("B", 2)));
        s.run("upsert without it", () -> v.upsert(null, Tuple.create().set("ID", 2).set("A", 2).set("C", "d")));
        s.step("get", () -> v.get(null, Tuple.create().set("ID", 2)));
        s.sql("ALTER TABLE SD ADD COLUMN B VARCHAR DEFAULT 'again'");
        s.step("a new column of the old name", () -> v.getAll(null, List.of(Tuple.create().set("ID", 1), Tuple.create().set("ID", 2))));
        s.sql("ALTER TABLE SD DROP COLUMN A");
        s.sql("ALTER TABLE SD DROP COLUMN B");
        s.sql("ALTER TABLE SD DROP COLUMN C");
        s.step("a row of which only the key is left", () -> v.get(null, Tuple.create().set("ID", 1)));
    }

    private static void dropTable(Script s) {
        Table table = s.table("SX", "ID INT PRIMARY KEY, A INT");
        RecordView<Tuple> v = table.recordView();
        s.run("upsert", () -> v.upsert(null, Tuple.create().set("ID", 1).set("A", 1)));
        s.sql("DROP TABLE SX");
        s.step("get through the object of a dropped table", () -> v.get(null, Tuple.create().set("ID", 1)));
        s.run("upsert through it", () -> v.upsert(null, Tuple.create().set("ID", 1).set("A", 1)));
        s.step("table(SX)", () -> s.client().tables().table("SX"));
        s.sql("CREATE TABLE SX (ID INT PRIMARY KEY, B VARCHAR)");
        s.step("get through the old object", () -> v.get(null, Tuple.create().set("ID", 1)));
        s.step("get through a new object",
                () -> s.client().tables().table("SX").recordView().get(null, Tuple.create().set("ID", 1)));
    }

    private static void manyChanges(Script s) {
        RecordView<Tuple> v = s.table("SM", "ID INT PRIMARY KEY").recordView();
        UUID uuid = new UUID(3, 4);
        for (int i = 0; i < 6; i++) {
            int id = i;
            s.sql("ALTER TABLE SM ADD COLUMN C" + i + " UUID");
            s.run("upsert", () -> v.upsert(null, Tuple.create().set("ID", id).set("C" + id, uuid)));
        }
        s.step("rows of six versions", () -> v.getAll(null, List.of(Tuple.create().set("ID", 0), Tuple.create().set("ID", 5))));
    }
}
