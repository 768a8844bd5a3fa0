// pgjdbc with its default settings: types, server-prepared statements (after five uses), batches, fetch size, COPY,
// transactions and savepoints, SQLSTATEs, cancel, metadata.
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.util.PGobject;

public class Jdbc {
    static void scenario(String name) {
        System.out.println("pgjdbc: " + name);
    }

    static void check(boolean ok, String what) {
        if (!ok) throw new AssertionError(what);
    }

    static void fails(Connection c, String sql, String state) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
            throw new AssertionError("no error: " + sql);
        } catch (SQLException e) {
            check(state.equals(e.getSQLState()), sql + ": " + e.getSQLState() + " " + e.getMessage());
        }
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> env = System.getenv();
        String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        try (Connection c = DriverManager.getConnection(url, env.get("PGUSER"), env.get("PGPASSWORD"))) {
            try (Statement s = c.createStatement()) {
                s.execute("DROP TABLE IF EXISTS jdbc_t");
                s.execute("CREATE TABLE jdbc_t (id bigint PRIMARY KEY, doc jsonb NOT NULL, name varchar(40), amount numeric(12,2))");
            }
            scenario("types, also as a server-prepared statement in binary");
            try (PreparedStatement p = c.prepareStatement(
                    "SELECT ?::bool, ?::int2, ?::int4, ?::int8, ?::float4, ?::float8, ?::numeric, ?::text, ?::bytea, ?::date, ?::timestamp, ?::timestamptz, ?::uuid, ?::int4[], ?::jsonb, ?::time")) {
                UUID id = UUID.randomUUID();
                OffsetDateTime at = OffsetDateTime.of(2026, 11, 22, 10, 11, 12, 345678000, ZoneOffset.UTC);
                LocalDateTime local = LocalDateTime.of(2001, 2, 3, 4, 5, 6, 789000000);
                PGobject json = new PGobject();
                json.setType("jsonb");
                json.setValue("{\"a\": [1, 2]}");
                for (int round = 0; round < 8; round++) {
                    p.setBoolean(1, true); p.setShort(2, (short) 3); p.setInt(3, 4); p.setLong(4, 5L << 40); p.setFloat(5, 1.5f);
                    p.setDouble(6, Math.PI); p.setBigDecimal(7, new BigDecimal("1234567890.0987654321")); p.setString(8, "строка");
                    p.setBytes(9, new byte[] {0, 1, -1}); p.setObject(10, LocalDate.of(2024, 2, 29)); p.setObject(11, local);
                    p.setObject(12, at); p.setObject(13, id); p.setArray(14, c.createArrayOf("int4", new Integer[] {1, null, 3}));
                    p.setObject(15, json); p.setObject(16, LocalTime.of(13, 14, 15));
                    try (ResultSet r = p.executeQuery()) {
                        check(r.next(), "a row");
                        check(r.getBoolean(1) && r.getShort(2) == 3 && r.getInt(3) == 4 && r.getLong(4) == 5L << 40, "integers");
                        check(r.getFloat(5) == 1.5f && r.getDouble(6) == Math.PI, "floats");
                        check(r.getBigDecimal(7).equals(new BigDecimal("1234567890.0987654321")), "numeric " + r.getBigDecimal(7));
                        check(r.getString(8).equals("строка") && Arrays.equals(r.getBytes(9), new byte[] {0, 1, -1}), "text, bytea");
                        check(r.getObject(10, LocalDate.class).equals(LocalDate.of(2024, 2, 29)), "date");
                        check(r.getObject(11, LocalDateTime.class).equals(local), "timestamp " + r.getString(11));
                        check(r.getObject(12, OffsetDateTime.class).isEqual(at), "timestamptz " + r.getString(12));
                        check(r.getObject(13).equals(id), "uuid");
                        check(Arrays.equals((Integer[]) r.getArray(14).getArray(), new Integer[] {1, null, 3}), "array");
                        check(r.getString(15).equals("{\"a\": [1, 2]}"), "jsonb " + r.getString(15));
                        check(r.getObject(16, LocalTime.class).equals(LocalTime.of(13, 14, 15)), "time");
                    }
                }
            }
            scenario("batches");
            c.setAutoCommit(false);
            try (PreparedStatement p = c.prepareStatement("INSERT INTO jdbc_t VALUES (?, ?::jsonb, ?, ?)")) {
                for (int i = 0; i < 1000; i++) {
                    p.setLong(1, i); p.setString(2, "{\"n\": " + i + "}"); p.setString(3, "name " + i); p.setBigDecimal(4, new BigDecimal(i + ".50"));
                    p.addBatch();
                }
                check(p.executeBatch().length == 1000, "batch");
            }
            c.commit();
            scenario("fetch size");
            try (Statement s = c.createStatement()) {
                s.setFetchSize(100);
                try (ResultSet r = s.executeQuery("SELECT id, doc->>'n', amount FROM jdbc_t ORDER BY id")) {
                    int n = 0;
                    while (r.next()) {
                        check(r.getLong(1) == n && r.getInt(2) == n && r.getBigDecimal(3).equals(new BigDecimal(n + ".50")), "row " + n);
                        n++;
                    }
                    check(n == 1000, "rows " + n);
                }
            }
            c.commit();
            scenario("COPY");
            var copier = ((PGConnection) c).getCopyAPI();
            check(copier.copyIn("COPY jdbc_t (id, doc) FROM STDIN (FORMAT csv)", new StringReader("5000,\"{\"\"x\"\": 1}\"\n5001,[]\n")) == 2, "copy in");
            StringWriter out = new StringWriter();
            copier.copyOut("COPY (SELECT id, doc FROM jdbc_t WHERE id >= 5000 ORDER BY id) TO STDOUT", out);
            check(out.toString().equals("5000\t{\"x\": 1}\n5001\t[]\n"), out.toString());
            c.commit();
            scenario("savepoints and rollback");
            try (Statement s = c.createStatement()) {
                s.executeUpdate("DELETE FROM jdbc_t WHERE id = 0");
                Savepoint sp = c.setSavepoint();
                fails(c, "INSERT INTO jdbc_t (id, doc) VALUES (1, '{}')", "23505");
                fails(c, "SELECT 1", "25P02");
                c.rollback(sp);
                c.rollback();
                try (ResultSet r = s.executeQuery("SELECT count(*) FROM jdbc_t WHERE id = 0")) {
                    r.next();
                    check(r.getInt(1) == 1, "rolled back");
                }
            }
            c.rollback();
            c.setAutoCommit(true);
            scenario("generated keys and updates");
            try (PreparedStatement p = c.prepareStatement("INSERT INTO jdbc_t (id, doc) VALUES (7000, '{}')", Statement.RETURN_GENERATED_KEYS)) {
                check(p.executeUpdate() == 1, "insert");
                ResultSet keys = p.getGeneratedKeys();
                check(keys.next() && keys.getLong("id") == 7000, "keys");
            }
            scenario("errors");
            fails(c, "SELECT * FROM nowhere", "42P01");
            fails(c, "SELECT 1/0", "22012");
            fails(c, "INSERT INTO jdbc_t (id) VALUES (9)", "23502");
            fails(c, "INSERT INTO jdbc_t VALUES (9, '{}', repeat('x', 41))", "22001");
            scenario("cancel by query time-out");
            try (Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                s.execute("SELECT pg_sleep(60)");
                throw new AssertionError("not cancelled");
            } catch (SQLException e) {
                check("57014".equals(e.getSQLState()), e.getSQLState());
            }
            scenario("metadata");
            DatabaseMetaData m = c.getMetaData();
            check(m.getDatabaseMajorVersion() >= 15, "version");
            try (ResultSet r = m.getTables(null, "public", "jdbc_t", new String[] {"TABLE"})) {
                check(r.next() && r.getString("TABLE_NAME").equals("jdbc_t"), "getTables");
            }
            List<String> columns = new ArrayList<>();
            try (ResultSet r = m.getColumns(null, "public", "jdbc_t", "%")) {
                while (r.next()) columns.add(r.getString("COLUMN_NAME") + " " + r.getString("TYPE_NAME") + " " + r.getInt("COLUMN_SIZE") + " " + r.getString("IS_NULLABLE"));
            }
            check(columns.equals(List.of("id int8 19 NO", "doc jsonb 2147483647 NO", "name varchar 40 YES", "amount numeric 12 YES")), columns.toString());
            try (ResultSet r = m.getPrimaryKeys(null, "public", "jdbc_t")) {
                check(r.next() && r.getString("COLUMN_NAME").equals("id") && r.getString("PK_NAME").equals("jdbc_t_pkey"), "getPrimaryKeys");
            }
            try (ResultSet r = m.getIndexInfo(null, "public", "jdbc_t", false, false)) {
                check(r.next() && r.getString("INDEX_NAME").equals("jdbc_t_pkey"), "getIndexInfo");
            }
            try (Statement s = c.createStatement()) {
                s.execute("DROP TABLE jdbc_t");
            }
        }
        scenario("ok");
    }
}
