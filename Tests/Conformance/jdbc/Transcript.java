// SPDX-License-Identifier: Apache-2.0

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import javax.sql.XAConnection;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.xa.PGXADataSource;

/** What JDBC sees of the server that the environment names. */
final class Transcript {
    private interface Work {
        void run() throws Exception;
    }

    private static final String HOST = System.getenv("PGHOST");
    private static final String PORT = System.getenv("PGPORT");
    private static final String USER = System.getenv("PGUSER");
    private static final String PASSWORD = System.getenv("PGPASSWORD");
    private static final String DATABASE = System.getenv("PGDATABASE");

    public static void main(String[] arguments) throws Exception {
        tables();
        readOnly();
        types();
        prepared();
        batches();
        cursors();
        transactions();
        autosave("always");
        autosave("conservative");
        copy();
        largeObjects();
        notices();
        cancel();
        notifications();
        metadata();
        functions();
        twoPhase();
        modes();
        settings();
        System.out.println("end");
    }

    private static Connection connect(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", USER);
        properties.setProperty("password", PASSWORD);
        properties.setProperty("sslmode", System.getenv("PGSSLMODE"));
        if (System.getenv("PGSSLROOTCERT") != null) {
            properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        }
        for (int i = 0; i < options.length; i += 2) {
            properties.setProperty(options[i], options[i + 1]);
        }
        String url = "jdbc:postgresql://" + HOST + ":" + PORT + "/" + DATABASE;
        return DriverManager.getConnection(url, properties);
    }

    private static void say(Object... words) {
        StringBuilder line = new StringBuilder();
        for (Object word : words) {
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        System.out.println(line);
    }

    private static void show(ResultSet rows) throws SQLException {
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (int i = 1; i <= columns; i++) {
                line.append(" | ").append(rows.getString(i));
            }
            say(line.substring(3));
        }
        rows.close();
    }

    private static void query(Connection connection, String text) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            show(statement.executeQuery(text));
        }
    }

    private static void run(Connection connection, String text) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            boolean rows = statement.execute(text);
            while (rows || statement.getUpdateCount() != -1) {
                if (rows) {
                    show(statement.getResultSet());
                } else {
                    say("count", statement.getUpdateCount());
                }
                rows = statement.getMoreResults();
            }
        }
    }

    private static void fails(Work work) throws Exception {
        try {
            work.run();
            say("no error");
        } catch (SQLException error) {
            say("error", error.getSQLState(), error.getMessage());
        }
    }

    private static void tables() throws Exception {
        say("== tables");
        try (Connection c = connect()) {
            run(c, "CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL, price numeric);"
                + "CREATE INDEX item_name ON item (name);"
                + "CREATE TABLE part (item int REFERENCES item, data bytea, at timestamptz);"
                + "CREATE VIEW cheap AS SELECT * FROM item WHERE price < 10;"
                + "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';"
                + "CREATE PROCEDURE add_item(n text) LANGUAGE sql AS"
                + " 'INSERT INTO item (name) VALUES (n)';"
                + "CREATE FUNCTION names() RETURNS refcursor LANGUAGE plpgsql AS $$"
                + " DECLARE c refcursor; BEGIN OPEN c FOR SELECT name FROM item ORDER BY id;"
                + " RETURN c; END $$");
            run(c, "INSERT INTO item (name, price) SELECT 'name ' || n, n FROM"
                + " generate_series(1, 100) n");
        }
    }

    private static void readOnly() throws Exception {
        say("== read only");
        for (String mode : new String[] {"transaction", "always", "ignore"}) {
            for (boolean autocommit : new boolean[] {false, true}) {
                try (Connection c = connect("readOnlyMode", mode)) {
                    c.setReadOnly(true);
                    c.setAutoCommit(autocommit);
                    say(mode, autocommit, c.isReadOnly());
                    query(c, "SELECT count(*) FROM pg_class WHERE relname = 'refused'");
                    if (!mode.equals("ignore")) {
                        query(c, "SHOW transaction_read_only");
                    }
                    if (!mode.equals("ignore") && !autocommit) {
                        query(c, "SELECT '@replica ' || inet_server_port()");
                        fails(() -> run(c, "INSERT INTO refused VALUES ('x')"));
                        fails(() -> query(c, "SELECT 1"));
                        c.rollback();
                    } else if (autocommit) {
                        c.setReadOnly(false);
                        run(c, "UPDATE item SET price = price WHERE id = 1");
                    }
                    if (!autocommit) {
                        query(c, "SELECT 1");
                        c.commit();
                    }
                }
            }
        }
    }

    private static void types() throws Exception {
        say("== types");
        for (String binary : new String[] {"true", "false"}) {
            try (Connection c = connect("binaryTransfer", binary, "prepareThreshold", "-1");
                    PreparedStatement s = c.prepareStatement(
                        "SELECT ?::int2, ?::int4, ?::int8, ?::float4, ?::float8, ?::numeric,"
                        + " ?::text, ?::bytea, ?::bool, ?::date, ?::timestamptz, ?::uuid,"
                        + " ?::int4[], ?::text[], ?::jsonb, ?::interval, ?::inet, ?::money")) {
                for (int round = 0; round < 3; round++) {
                    s.setShort(1, (short) (round - 5));
                    s.setInt(2, 1 << 30);
                    s.setLong(3, Long.MIN_VALUE);
                    s.setFloat(4, 1.5f);
                    s.setDouble(5, Math.PI);
                    s.setBigDecimal(6, new BigDecimal("12345678901234567890.0123456789"));
                    s.setString(7, "Grüße € \u4e16\u754c '\" \\ \n");
                    s.setBytes(8, new byte[] {0, 1, -1, 39, 92});
                    s.setBoolean(9, round == 1);
                    s.setObject(10, LocalDate.of(2024, 2, 29));
                    s.setObject(11, OffsetDateTime.parse("2024-02-29T12:34:56.789012Z"));
                    s.setObject(12, UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"));
                    s.setArray(13, c.createArrayOf("int4", new Integer[] {1, null, 3}));
                    s.setArray(14, c.createArrayOf("text", new String[] {"a,b", "\"", null}));
                    s.setObject(15, "{\"a\": [1, 2]}", Types.OTHER);
                    s.setObject(16, "1 day 02:03:04", Types.OTHER);
                    s.setObject(17, "192.168.0.1/24", Types.OTHER);
                    s.setNull(18, Types.OTHER);
                    show(s.executeQuery());
                }
                ResultSet rows = s.executeQuery();
                ResultSetMetaData about = rows.getMetaData();
                for (int i = 1; i <= about.getColumnCount(); i++) {
                    say(about.getColumnLabel(i), about.getColumnTypeName(i), about.getScale(i));
                }
                rows.next();
                Array array = rows.getArray(13);
                say(Arrays.toString((Object[]) array.getArray()), rows.getObject(12));
                say(Arrays.toString(rows.getBytes(8)), rows.getObject(11, OffsetDateTime.class));
            }
        }
    }

    private static void prepared() throws Exception {
        say("== prepared");
        for (String threshold : new String[] {"0", "1", "3", "5"}) {
            try (Connection c = connect("prepareThreshold", threshold,
                    "preparedStatementCacheQueries", "4")) {
                for (int round = 0; round < 12; round++) {
                    try (PreparedStatement s = c.prepareStatement(
                            "SELECT id, name, price FROM item WHERE id = ? OR name = ?"
                                + " ORDER BY id")) {
                        s.setInt(1, round);
                        s.setString(2, "name " + (50 + round));
                        show(s.executeQuery());
                    }
                    try (PreparedStatement s = c.prepareStatement(
                            "UPDATE item SET price = ? WHERE id = ? RETURNING price")) {
                        s.setInt(1, round);
                        s.setInt(2, 7);
                        show(s.executeQuery());
                    }
                    String text = "SELECT " + round % 7 + " + ?";
                    try (PreparedStatement s = c.prepareStatement(text)) {
                        s.setInt(1, round);
                        show(s.executeQuery());
                    }
                }
                changedTable(c);
            }
        }
    }

    private static void changedTable(Connection c) throws Exception {
        run(c, "CREATE TABLE changing AS SELECT 1 AS a");
        String text = "SELECT * FROM changing WHERE 0 < ?";
        try (PreparedStatement s = c.prepareStatement(text)) {
            for (int round = 0; round < 8; round++) {
                s.setInt(1, 1);
                show(s.executeQuery());
                if (round == 5) {
                    run(c, "ALTER TABLE changing ADD COLUMN b text DEFAULT 'new'");
                }
            }
            ParameterMetaData about = s.getParameterMetaData();
            say(about.getParameterCount(), about.getParameterTypeName(1));
            run(c, "DEALLOCATE ALL");
            fails(() -> show(s.executeQuery()));
            run(c, "DISCARD ALL");
            fails(() -> show(s.executeQuery()));
        }
        run(c, "DROP TABLE changing");
    }

    private static void batches() throws Exception {
        say("== batches");
        for (String rewrite : new String[] {"false", "true"}) {
            try (Connection c = connect("reWriteBatchedInserts", rewrite)) {
                for (boolean autocommit : new boolean[] {true, false}) {
                    c.setAutoCommit(autocommit);
                    say(rewrite, autocommit);
                    insertMany(c);
                    failInBatch(c);
                    mixedBatch(c);
                    if (!autocommit) {
                        c.commit();
                    }
                }
            }
        }
    }

    private static void insertMany(Connection c) throws Exception {
        try (PreparedStatement s = c.prepareStatement("INSERT INTO part VALUES (?, ?, now())")) {
            for (int i = 0; i < 1000; i++) {
                s.setInt(1, i % 100 + 1);
                s.setBytes(2, new byte[i]);
                s.addBatch();
            }
            int sum = 0;
            for (int count : s.executeBatch()) {
                sum += count == Statement.SUCCESS_NO_INFO ? 1 : count;
            }
            say("inserted", sum);
        }
        query(c, "SELECT count(*), sum(length(data)) FROM part");
        String insert = "INSERT INTO item (name) VALUES (?)";
        String[] keys = {"id"};
        try (PreparedStatement s = c.prepareStatement(insert, keys)) {
            for (int i = 0; i < 5; i++) {
                s.setString(1, "generated " + i);
                s.addBatch();
            }
            s.executeBatch();
            show(s.getGeneratedKeys());
        }
    }

    private static void failInBatch(Connection c) throws Exception {
        Savepoint before = c.getAutoCommit() ? null : c.setSavepoint();
        try (PreparedStatement s = c.prepareStatement("INSERT INTO item VALUES (?, 'b')")) {
            for (int id : new int[] {-1, -2, 1, -3}) {
                s.setInt(1, id);
                s.addBatch();
            }
            s.executeBatch();
        } catch (BatchUpdateException error) {
            say("batch", error.getSQLState(), Arrays.toString(error.getUpdateCounts()));
        }
        if (before != null) {
            c.rollback(before);
        }
        query(c, "SELECT id FROM item WHERE id < 0 ORDER BY id");
        run(c, "DELETE FROM item WHERE id < 0");
    }

    private static void mixedBatch(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            s.addBatch("CREATE TEMP TABLE batch (n int)");
            s.addBatch("INSERT INTO batch SELECT generate_series(1, 10)");
            s.addBatch("UPDATE batch SET n = n + 1 WHERE n > 5");
            s.addBatch("SET work_mem = '5MB'");
            say(Arrays.toString(s.executeBatch()));
            show(s.executeQuery("SELECT sum(n), current_setting('work_mem') FROM batch"));
            s.execute("DROP TABLE batch");
        }
    }

    private static void cursors() throws Exception {
        say("== cursors");
        for (boolean readOnly : new boolean[] {false, true}) {
            for (int size : new int[] {1, 7, 1000}) {
                try (Connection c = connect("defaultRowFetchSize", "" + size)) {
                    c.setReadOnly(readOnly);
                    c.setAutoCommit(false);
                    interleavedCursors(c);
                    c.commit();
                }
            }
        }
        try (Connection c = connect()) {
            c.setAutoCommit(true);
            try (Statement s = c.createStatement(
                    ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
                ResultSet rows = s.executeQuery("SELECT id, name FROM item"
                    + " WHERE id < 4 ORDER BY id");
                rows.last();
                rows.updateString(2, "changed");
                rows.updateRow();
                rows.moveToInsertRow();
                rows.updateString(2, "inserted");
                rows.insertRow();
                rows.absolute(1);
                rows.refreshRow();
                say(rows.getInt(1), rows.getString(2));
            }
            run(c, "DELETE FROM item WHERE name = 'inserted'");
        }
    }

    private static void interleavedCursors(Connection c) throws Exception {
        try (Statement one = c.createStatement();
                PreparedStatement two = c.prepareStatement("SELECT n FROM"
                    + " generate_series(1, ?) n")) {
            two.setInt(1, 20);
            ResultSet a = one.executeQuery("SELECT id, name FROM item WHERE id < 20 ORDER BY id");
            ResultSet b = two.executeQuery();
            int sum = 0;
            while (a.next() && b.next()) {
                sum += a.getInt(1) * b.getInt(1);
                if (a.getRow() == 10) {
                    query(c, "SELECT 'between', count(*) FROM item WHERE id <= 100");
                }
            }
            say("sum", sum);
        }
        Statement failing = c.createStatement();
        fails(() -> show(failing.executeQuery("SELECT 10 / (5 - n)"
            + " FROM generate_series(1, 9) n")));
        c.rollback();
    }

    private static void transactions() throws Exception {
        say("== transactions");
        try (Connection c = connect()) {
            for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED,
                    Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
                c.setTransactionIsolation(level);
                c.setAutoCommit(false);
                query(c, "SHOW transaction_isolation");
                run(c, "INSERT INTO item VALUES (1000, 'one')");
                Savepoint first = c.setSavepoint("first");
                run(c, "INSERT INTO item VALUES (1001, 'two')");
                fails(() -> run(c, "INSERT INTO item VALUES (1001, 'again')"));
                fails(() -> query(c, "SELECT 1"));
                fails(() -> c.setSavepoint("refused"));
                c.rollback(first);
                query(c, "SELECT id FROM item WHERE id >= 1000");
                c.releaseSavepoint(first);
                c.rollback();
                query(c, "SELECT id FROM item WHERE id >= 1000");
                c.commit();
                c.setAutoCommit(true);
            }
            c.setAutoCommit(false);
            fails(() -> query(c, "SELECT 1 / 0"));
            fails(c::commit);
            query(c, "SELECT 1");
            c.setAutoCommit(true);
            run(c, "INSERT INTO item VALUES (2000, 'a'); INSERT INTO item VALUES (2001, 'b')");
            fails(() -> run(c, "DELETE FROM item WHERE id >= 2000; SELECT 1 / 0"));
            query(c, "SELECT count(*) FROM item WHERE id >= 2000");
            run(c, "BEGIN; DELETE FROM item WHERE id >= 2000; SELECT 3; COMMIT; SELECT 4");
        }
    }

    private static void autosave(String mode) throws Exception {
        say("== autosave", mode);
        for (String cleanup : new String[] {"true", "false"}) {
            try (Connection c = connect("autosave", mode, "cleanupSavepoints", cleanup)) {
                c.setAutoCommit(false);
                run(c, "INSERT INTO item VALUES (3000, 'saved')");
                fails(() -> query(c, "SELECT 1 / 0"));
                fails(() -> run(c, "INSERT INTO item VALUES (3000, 'again')"));
                fails(() -> query(c, "SELECT count(*) FROM item WHERE id = 3000"));
                if (mode.equals("conservative")) {
                    c.rollback();
                }
                run(c, "CREATE TABLE moving (a int); INSERT INTO moving VALUES (1)");
                try (PreparedStatement s = c.prepareStatement("SELECT * FROM moving")) {
                    for (int round = 0; round < 8; round++) {
                        fails(() -> show(s.executeQuery()));
                        if (round == 6) {
                            run(c, "ALTER TABLE moving ADD COLUMN b int");
                        }
                    }
                }
                c.rollback();
                query(c, "SELECT count(*) FROM item WHERE id = 3000");
                c.commit();
            }
        }
    }

    private static void copy() throws Exception {
        say("== copy");
        try (Connection c = connect()) {
            CopyManager copies = c.unwrap(PGConnection.class).getCopyAPI();
            run(c, "CREATE TABLE copied (a int, b text)");
            String text = "1\tone\n2\t\\N\n3\tGrüße €\n";
            say(copies.copyIn("COPY copied FROM STDIN", new StringReader(text)));
            StringBuilder many = new StringBuilder();
            for (int i = 4; i <= 20000; i++) {
                many.append(i).append(",\"text ").append(i).append("\"\n");
            }
            say(copies.copyIn("COPY copied FROM STDIN (FORMAT csv)", new StringReader(many + "")));
            StringWriter out = new StringWriter();
            say(copies.copyOut("COPY (SELECT * FROM copied ORDER BY a LIMIT 5) TO STDOUT", out));
            say(out);
            out = new StringWriter();
            say(copies.copyOut("COPY copied TO STDOUT (FORMAT csv)", out), out.toString().length());
            fails(() -> copies.copyIn("COPY copied FROM STDIN", new StringReader("x\ty\n")));
            fails(() -> copies.copyIn("COPY nothing FROM STDIN", new StringReader("x\n")));
            fails(() -> copies.copyOut("COPY nothing TO STDOUT", new StringWriter()));
            var open = copies.copyIn("COPY copied FROM STDIN");
            open.writeToCopy("7\tseven\n".getBytes(), 0, 8);
            open.cancelCopy();
            c.setAutoCommit(false);
            query(c, "SELECT 'in a transaction'");
            say(copies.copyIn("COPY copied FROM STDIN", new StringReader("0\tzero\n")));
            c.rollback();
            query(c, "SELECT count(*), sum(a) FROM copied");
            c.commit();
        }
    }

    private static void largeObjects() throws Exception {
        say("== large objects");
        try (Connection c = connect()) {
            LargeObjectManager objects = c.unwrap(PGConnection.class).getLargeObjectAPI();
            c.setAutoCommit(false);
            long oid = objects.createLO(LargeObjectManager.READWRITE);
            LargeObject object = objects.open(oid, LargeObjectManager.READWRITE);
            byte[] data = new byte[100000];
            for (int i = 0; i < data.length; i++) {
                data[i] = (byte) (i * 7);
            }
            object.write(data);
            object.seek64(50000, LargeObject.SEEK_SET);
            say(Arrays.toString(object.read(5)), object.tell64(), object.size64());
            object.truncate64(60000);
            object.close();
            c.commit();
            object = objects.open(oid, LargeObjectManager.READ);
            int sum = 0;
            for (byte one : object.getInputStream().readAllBytes()) {
                sum += one;
            }
            say("sum", sum, object.size());
            LargeObject reading = object;
            fails(() -> reading.write(new byte[] {1}));
            c.rollback();
            objects.delete(oid);
            c.commit();
            fails(() -> objects.open(1, LargeObjectManager.READ).read(1));
            c.rollback();
        }
    }

    private static void notices() throws Exception {
        say("== notices");
        try (Connection c = connect(); Statement s = c.createStatement()) {
            s.execute("DO $$ BEGIN RAISE NOTICE 'hello %', 1; RAISE WARNING 'careful'; END $$");
            for (SQLWarning w = s.getWarnings(); w != null; w = w.getNextWarning()) {
                say(w.getSQLState(), w.getMessage());
            }
            s.execute("DROP TABLE IF EXISTS nothing_there");
            say(s.getWarnings().getMessage());
            fails(() -> s.execute("SELECT * FROM nothing_there"));
            fails(() -> s.execute("frobnicate"));
            fails(() -> s.execute("DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'U0001',"
                + " HINT = 'a hint', DETAIL = 'a detail'; END $$"));
            fails(() -> s.execute("INSERT INTO part VALUES (-5)"));
        }
    }

    private static void cancel() throws Exception {
        say("== cancel");
        for (boolean autocommit : new boolean[] {true, false}) {
            try (Connection c = connect(); Statement s = c.createStatement()) {
                c.setAutoCommit(autocommit);
                s.setQueryTimeout(1);
                fails(() -> s.executeQuery("SELECT pg_sleep(60)"));
                if (!autocommit) {
                    c.rollback();
                }
                s.setQueryTimeout(0);
                Thread canceller = new Thread(() -> {
                    try {
                        Thread.sleep(500);
                        s.cancel();
                    } catch (Exception error) {
                        say(error);
                    }
                });
                canceller.start();
                fails(() -> s.executeQuery("SELECT pg_sleep(60), 1 FROM pg_class"));
                canceller.join();
                if (!autocommit) {
                    c.rollback();
                }
                query(c, "SELECT 'alive'");
            }
        }
    }

    private static void notifications() throws Exception {
        say("== notifications");
        try (Connection c = connect(); Connection other = connect()) {
            run(c, "LISTEN news");
            run(other, "NOTIFY news, 'first'; NOTIFY unheard");
            run(other, "SELECT pg_notify('news', 'second')");
            List<String> heard = new ArrayList<>();
            while (heard.size() < 2) {
                PGNotification[] some = c.unwrap(PGConnection.class).getNotifications(1000);
                for (PGNotification one : some == null ? new PGNotification[0] : some) {
                    heard.add(one.getName() + " " + one.getParameter());
                }
            }
            say(heard);
            run(c, "UNLISTEN *");
            run(other, "NOTIFY news, 'third'");
            query(c, "SELECT 1");
            say(c.unwrap(PGConnection.class).getNotifications() == null);
        }
    }

    private static void metadata() throws Exception {
        say("== metadata");
        try (Connection c = connect()) {
            DatabaseMetaData about = c.getMetaData();
            say(about.getDatabaseProductName(), about.getDatabaseProductVersion());
            show(about.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"}));
            show(about.getColumns(null, "public", "item", "%"));
            show(about.getPrimaryKeys(null, "public", "item"));
            show(about.getImportedKeys(null, "public", "part"));
            ResultSet indexes = about.getIndexInfo(null, "public", "item", false, false);
            while (indexes.next()) {
                say(indexes.getString("INDEX_NAME"), indexes.getString("COLUMN_NAME"));
            }
            ResultSet procedures = about.getProcedures(null, "public", "%");
            while (procedures.next()) {
                say(procedures.getString("PROCEDURE_NAME"), procedures.getInt("PROCEDURE_TYPE"));
            }
            ResultSet columns = about.getFunctionColumns(null, "public", "twice", "%");
            while (columns.next()) {
                say(columns.getString("COLUMN_NAME"), columns.getString("TYPE_NAME"));
            }
            show(about.getTablePrivileges(null, "public", "item"));
            show(about.getSchemas());
            say(about.getMaxConnections(), about.getUserName(), about.getSQLKeywords().length());
            ResultSet types = about.getTypeInfo();
            int count = 0;
            while (types.next()) {
                count++;
            }
            say(count > 100, about.getDefaultTransactionIsolation());
            Properties information = c.getClientInfo();
            c.setClientInfo("ApplicationName", "conformance");
            say(information, c.getClientInfo("ApplicationName"), c.getSchema(), c.getCatalog());
            query(c, "SHOW application_name");
            say(c.isValid(5));
        }
    }

    private static void functions() throws Exception {
        say("== functions");
        try (Connection c = connect("escapeSyntaxCallMode", "callIfNoReturn")) {
            try (CallableStatement s = c.prepareCall("{? = call twice(?)}")) {
                s.registerOutParameter(1, Types.INTEGER);
                s.setInt(2, 21);
                s.execute();
                say(s.getInt(1));
            }
            try (CallableStatement s = c.prepareCall("{call add_item(?)}")) {
                s.setString(1, "by a procedure");
                s.execute();
            }
            query(c, "DELETE FROM item WHERE name = 'by a procedure' RETURNING name");
            c.setAutoCommit(false);
            try (CallableStatement s = c.prepareCall("{? = call names()}")) {
                s.registerOutParameter(1, Types.REF_CURSOR);
                s.execute();
                ResultSet names = (ResultSet) s.getObject(1);
                names.next();
                say(names.getString(1));
            }
            c.commit();
        }
    }

    private record Id(byte[] getGlobalTransactionId, byte[] getBranchQualifier, int getFormatId)
            implements Xid {
        @Override public byte[] getGlobalTransactionId() {
            return getGlobalTransactionId;
        }

        @Override public byte[] getBranchQualifier() {
            return getBranchQualifier;
        }

        @Override public int getFormatId() {
            return getFormatId;
        }
    }

    private static void twoPhase() throws Exception {
        say("== two-phase");
        PGXADataSource source = new PGXADataSource();
        source.setServerNames(new String[] {HOST});
        source.setPortNumbers(new int[] {Integer.parseInt(PORT)});
        source.setDatabaseName(DATABASE);
        source.setUser(USER);
        source.setPassword(PASSWORD);
        XAConnection x = source.getXAConnection();
        XAResource resource = x.getXAResource();
        for (boolean commit : new boolean[] {true, false}) {
            Xid id = new Id(DATABASE.getBytes(), new byte[] {(byte) (commit ? 1 : 2)}, 9);
            resource.start(id, XAResource.TMNOFLAGS);
            Connection c = x.getConnection();
            run(c, "INSERT INTO item (name) VALUES ('two-phase')");
            resource.end(id, XAResource.TMSUCCESS);
            say("prepared", resource.prepare(id) == XAResource.XA_OK);
            int found = resource.recover(XAResource.TMSTARTRSCAN).length;
            say("to recover", found);
            if (commit) {
                resource.commit(id, false);
            } else {
                resource.rollback(id);
            }
            try {
                resource.commit(id, false);
            } catch (XAException error) {
                say("unknown", error.errorCode, error.getMessage());
            }
        }
        query(x.getConnection(), "DELETE FROM item WHERE name = 'two-phase' RETURNING name");
        x.close();
    }

    private static void modes() throws Exception {
        say("== modes");
        String[] all = {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"};
        for (String mode : all) {
            try (Connection c = connect("preferQueryMode", mode)) {
                for (int round = 0; round < 7; round++) {
                    try (PreparedStatement s = c.prepareStatement(
                            "SELECT name FROM item WHERE id = ?")) {
                        s.setInt(1, 10 + round);
                        show(s.executeQuery());
                    }
                    query(c, "SELECT 1");
                    run(c, "UPDATE item SET price = 3 WHERE id = 5; SELECT 2");
                }
                c.setAutoCommit(false);
                run(c, "UPDATE item SET price = 4 WHERE id = 5");
                c.rollback();
                query(c, "SELECT price FROM item WHERE id = 5");
                c.rollback();
            }
        }
    }

    private static void settings() throws Exception {
        say("== settings");
        String options = "-c work_mem=7MB -c search_path=pg_catalog,public";
        try (Connection c = connect("options", options, "currentSchema", "public",
                "ApplicationName", "first", "targetServerType", "primary")) {
            query(c, "SELECT current_setting('work_mem'), current_schemas(false),"
                + " current_setting('application_name')");
            c.setSchema("information_schema");
            query(c, "SELECT current_schema()");
            run(c, "SET TIME ZONE 'Asia/Tokyo'; SET datestyle = 'ISO, DMY'");
            query(c, "SELECT '2024-02-29 12:00:00+00'::timestamptz");
            c.setAutoCommit(false);
            run(c, "SET LOCAL work_mem = '8MB'; SET statement_timeout = '2min'");
            query(c, "SELECT current_setting('work_mem'), current_setting('statement_timeout')");
            c.rollback();
            query(c, "SELECT current_setting('work_mem'), current_setting('statement_timeout')");
            c.commit();
        }
        CountDownLatch done = new CountDownLatch(4);
        List<String> all = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 4; i++) {
            int number = i;
            new Thread(() -> {
                try (Connection c = connect("prepareThreshold", "1")) {
                    for (int round = 0; round < 20; round++) {
                        try (PreparedStatement s = c.prepareStatement(
                                "UPDATE item SET price = ? WHERE id = ? RETURNING price")) {
                            s.setInt(1, round);
                            s.setInt(2, 50 + number);
                            ResultSet rows = s.executeQuery();
                            rows.next();
                            if (rows.getInt(1) != round) {
                                all.add("wrong");
                            }
                        }
                    }
                    all.add("done");
                } catch (SQLException error) {
                    all.add(error.toString());
                } finally {
                    done.countDown();
                }
            }).start();
        }
        done.await();
        say(all);
    }
}
