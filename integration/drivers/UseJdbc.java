// pgjdbc: extended protocol; a statement asked for prepareThreshold times gets a name, and then binary; BEGIN travels in
// the same batch as the first statement after it; fetchSize makes named portals; batches. A fourth argument of
// "simple" makes it write values into the text (preferQueryMode).

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.io.StringWriter;
import java.security.MessageDigest;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyManager;

public class UseJdbc {
    static final BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    static Connection connection;
    static int reads;

    interface Action {
        Object run() throws Exception;
    }

    static String json(Object value) throws Exception {
        if (value == null || value instanceof Integer || value instanceof Boolean || value instanceof Long)
            return String.valueOf(value);
        if (value instanceof List<?>) {
            List<String> parts = new ArrayList<>();
            for (Object one : (List<?>) value)
                parts.add(json(one));
            return "[" + String.join(", ", parts) + "]";
        }
        if (value instanceof byte[]) {
            StringBuilder hex = new StringBuilder("bytes ");
            byte[] bytes = (byte[]) value;
            for (byte one : bytes.length < 100 ? bytes : MessageDigest.getInstance("MD5").digest(bytes))
                hex.append(String.format("%02x", one));
            return json(hex.append(" ").append(bytes.length).toString());
        }
        if (value instanceof Array)
            return json(String.valueOf(value));
        String text = String.valueOf(value);
        if (text.length() > 1000)
            return json(text.getBytes("UTF-8"));
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray())
            out.append(c < ' ' || c > '~' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
        return out.append('"').toString();
    }

    static void say(String step, Object value) throws Exception {
        System.out.println("[" + json(step) + ", " + json(value) + "]");
        System.out.flush();
    }

    static void pause(String line) throws Exception {
        System.out.println(line);
        System.out.flush();
        input.readLine();
    }

    static Object rows(ResultSet found) throws Exception {
        List<Object> rows = new ArrayList<>();
        int width = found.getMetaData().getColumnCount();
        while (found.next()) {
            List<Object> row = new ArrayList<>();
            for (int i = 1; i <= width; ++i)
                row.add(found.getObject(i));
            rows.add(row);
        }
        found.close();
        return rows;
    }

    static PreparedStatement prepared(String sql, Object... values) throws Exception {
        PreparedStatement statement = connection.prepareStatement(sql);
        for (int i = 0; i < values.length; ++i)
            statement.setObject(i + 1, values[i]);
        return statement;
    }

    static Object ask(String sql, Object... values) throws Exception {
        try (PreparedStatement statement = prepared(sql, values)) {
            return statement.execute() ? rows(statement.getResultSet()) : (Object) statement.getUpdateCount();
        }
    }

    static void read(String step, String sql, Object... values) throws Exception {
        ++reads;
        say(step, ask(sql, values));
    }

    static void fails(String step, Action action) throws Exception {
        try {
            say(step, action.run());
        } catch (SQLException error) {
            say(step, List.of(String.valueOf(error.getSQLState()), error.getMessage()));
        }
    }

    static void roundOfReads() throws Exception {
        for (int n = 1; n <= 3; ++n)
            read("kinds", "SELECT * FROM kinds WHERE id = ?", n);
        read("no values", "SELECT id, name FROM items ORDER BY id");
        try (Statement statement = connection.createStatement()) {
            ++reads;
            say("plain statement", rows(statement.executeQuery("SELECT id, name FROM items WHERE id < 4 ORDER BY id")));
        }
        read("array", "SELECT name FROM items WHERE id = ANY(?) ORDER BY id",
             connection.createArrayOf("int4", new Object[] {2, 3, 5}));
        read("words", "SELECT id FROM kinds WHERE words = ?",
             connection.createArrayOf("text", new Object[] {"one", "two words", "quo\"te"}));
        read("json", "SELECT id, jb FROM kinds WHERE jb @> ?::jsonb", "{\"b\": 1}");
        read("large", "SELECT body, raw FROM large WHERE id = ?", 1);
        // prepareThreshold: 5 executions go without a name, those after them by name, and in binary.
        try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM kinds WHERE id = ?")) {
            for (int n = 0; n < 8; ++n) {
                statement.setInt(1, 1 + n % 3);
                ++reads;
                say("reuse", rows(statement.executeQuery()));
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT name, price FROM items WHERE id = ?")) {
            statement.unwrap(PGStatement.class).setPrepareThreshold(1);
            for (int n = 1; n <= 5; ++n) {
                statement.setInt(1, n);
                ++reads;
                say("by name at once", rows(statement.executeQuery()));
            }
        }
        connection.setAutoCommit(false);
        read("in a transaction", "SELECT count(*) FROM items WHERE price > ?", 3);
        read("again", "SELECT count(*) FROM items WHERE price > ?", 4);
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void rest(int n) throws Exception {
        connection.setAutoCommit(false);
        say("update", ask("UPDATE ledger SET amount = amount + 1 WHERE id = ? RETURNING amount", 1));
        say("own", ask("SELECT amount FROM ledger WHERE id = ?", 1));
        connection.rollback();
        say("rolled back", ask("SELECT amount FROM ledger WHERE id = ?", 1));
        say("count", ask("UPDATE ledger SET amount = amount + 1 WHERE id = ?", 2));
        connection.commit();
        say("committed", ask("SELECT amount FROM ledger ORDER BY id"));
        connection.commit();
        fails("error", () -> ask("SELECT 1 / (amount - amount) FROM ledger WHERE id = ?", 1));
        fails("after it", () -> ask("SELECT amount FROM ledger WHERE id = ?", 1));
        connection.rollback();
        say("after that", ask("SELECT amount FROM ledger WHERE id = ?", 1));
        connection.commit();

        try (PreparedStatement batch = connection.prepareStatement("UPDATE ledger SET amount = amount + ? WHERE id = ?")) {
            for (int i = 3; i <= 5; ++i) {
                batch.setInt(1, i);
                batch.setInt(2, i);
                batch.addBatch();
            }
            List<Object> counts = new ArrayList<>();
            for (int count : batch.executeBatch())
                counts.add(count);
            say("batch", counts);
        }
        connection.commit();
        connection.setAutoCommit(true);
        say("after the batch", ask("SELECT * FROM ledger ORDER BY id"));
        try (Statement batch = connection.createStatement()) {
            batch.addBatch("INSERT INTO loaded VALUES (" + n + ", 'a')");
            batch.addBatch("SELECT 1 / 0");
            batch.addBatch("INSERT INTO loaded VALUES (" + n + ", 'never')");
            fails("batch fails", batch::executeBatch);
        }
        say("rows", ask("SELECT * FROM loaded ORDER BY n, t"));

        CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
        say("copied", copy.copyIn("COPY loaded FROM STDIN", new StringReader(n + "\tcopied\n" + n + "\t\\N\n")));
        StringWriter out = new StringWriter();
        copy.copyOut("COPY (SELECT * FROM loaded ORDER BY n, t) TO STDOUT", out);
        say("copy", out.toString());
        fails("copy fails", () -> copy.copyIn("COPY loaded FROM STDIN", new StringReader("no number\tx\n")));
        say("after copy", ask("SELECT count(*) FROM loaded"));

        connection.setAutoCommit(false);
        try (PreparedStatement statement = prepared("SELECT id, name FROM items ORDER BY id")) {
            statement.setFetchSize(7);
            say("fetch size", rows(statement.executeQuery()));
        }
        connection.commit();
        connection.setAutoCommit(true);

        try (Statement statement = connection.createStatement()) {
            statement.execute("LISTEN channel");
            statement.execute("NOTIFY channel, 'payload'");
            PGNotification[] heard = connection.unwrap(PGConnection.class).getNotifications(30000);
            say("notified", List.of(heard[0].getName(), heard[0].getParameter()));
            statement.execute("UNLISTEN channel");

            Thread thread = new Thread(() -> {
                try {
                    pause("{\"part\": \"cancel\"}");
                    statement.cancel();
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            thread.start();
            fails("cancel", () -> statement.executeQuery("SELECT pg_sleep(60)"));
            thread.join();
        }
        say("after cancel", ask("SELECT amount FROM ledger WHERE id = ?", 1));
        // In simple mode it cannot write bytes into a text.
        fails("bytes", () -> ask("SELECT CAST(? AS bytea), CAST(? AS jsonb)", new byte[] {0, -1, 39, 92}, "{\"n\": [" + n + ", null]}"));
    }

    public static void main(String[] words) throws Exception {
        Properties how = new Properties();
        how.put("user", "postgres");
        how.put("sslmode", "disable");
        how.put("gssEncMode", "disable");
        if (words.length > 3)
            how.put("preferQueryMode", words[3]);
        connection = DriverManager.getConnection(
            "jdbc:postgresql://" + words[0] + ":" + words[1] + "/" + words[2], how);
        for (int turn = 1; turn <= 5; ++turn) {
            reads = 0;
            roundOfReads();
            pause("{\"round\": " + turn + ", \"reads\": " + reads + "}");
        }
        pause("{\"part\": \"rest\"}");
        for (int turn = 1; turn <= 5; ++turn)
            rest(turn);
        connection.close();
    }
}
