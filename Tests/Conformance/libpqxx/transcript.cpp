// SPDX-License-Identifier: Apache-2.0

// What libpqxx sees of the server that the environment names: its transaction classes, pipelines,
// table streams, cursors, large objects and notifications.

#include <cstdlib>
#include <functional>
#include <iostream>
#include <pqxx/pqxx>
#include <string>

template <typename... Words>
void say(Words const &...words) {
    char const *before = "";
    ((std::cout << before << words, before = " "), ...);
    std::cout << '\n';
}

void show(pqxx::result const &rows) {
    for (auto const &row : rows) {
        for (auto const &field : row) std::cout << (field.is_null() ? "null" : field.c_str()) << ' ';
        std::cout << '\n';
    }
    say("rows", rows.size(), "affected", rows.affected_rows());
}

void fails(std::function<void()> work) {
    try {
        work();
        say("no error");
    } catch (pqxx::sql_error const &error) {
        std::string const what = error.what();
        say("error", error.sqlstate(), what.substr(0, what.find('\n')));
    } catch (std::exception const &error) {
        say("error", error.what());
    }
}

void read_only() {
    pqxx::connection c;
    // read_transaction says "BEGIN; SET TRANSACTION READ ONLY" in one query: to the primary.
    pqxx::nontransaction t{c};
    t.exec("BEGIN READ ONLY");
    say("@replica", t.exec1("SELECT inet_server_port()")[0].c_str());
    fails([&] { t.exec("INSERT INTO refused VALUES ('x')"); });
    t.exec("ROLLBACK");
}

void statements(pqxx::connection &c) {
    c.prepare("one", "SELECT name FROM item WHERE id = $1");
    c.prepare("two", "UPDATE item SET price = $1 WHERE id = 7 RETURNING price");
    for (int n = 0; n < 8; n++) {
        pqxx::work t{c};
        show(t.exec_prepared("one", n));
        show(t.exec_prepared("two", n));
        show(t.exec_params("SELECT $1::int + 1, $2::text", n, "Grüße € ' \\"));
        t.commit();
    }
    c.unprepare("one");
    fails([&] { pqxx::nontransaction{c}.exec_prepared("one", 1); });
    fails([&] { pqxx::nontransaction{c}.exec("SELECT 1 / 0"); });
    pqxx::nontransaction t{c};
    t.exec("CREATE TABLE changing AS SELECT 1 AS a");
    show(t.exec_params("SELECT * FROM changing WHERE 0 < $1", 1));
    t.exec("ALTER TABLE changing ADD COLUMN b int");
    show(t.exec_params("SELECT * FROM changing WHERE 0 < $1", 1));
    show(t.exec("SELECT 1; SELECT 2"));
}

void transactions(pqxx::connection &c) {
    {
        pqxx::work t{c};
        t.exec("INSERT INTO item VALUES (1000, 'new')");
        fails([&] {
            pqxx::subtransaction inner{t, "inner"};
            inner.exec("INSERT INTO item VALUES (1000, 'again')");
        });
        show(t.exec("SELECT name FROM item WHERE id = 1000"));
    }
    pqxx::transaction<pqxx::serializable> t{c};
    show(t.exec("SELECT count(*) FROM item WHERE id = 1000"));
    pqxx::pipeline p{t};
    p.retain(5);
    for (int n = 0; n < 5; n++) p.insert("SELECT " + std::to_string(n));
    while (!p.empty()) show(p.retrieve().second);
}

void streams(pqxx::connection &c) {
    pqxx::work t{c};
    t.exec("CREATE TABLE copied (a int, b text)");
    pqxx::stream_to out{t, "copied"};
    for (int n = 0; n < 2000; n++) out << std::make_tuple(n, "text");
    out.complete();
    pqxx::stream_from in{t, "copied"};
    std::tuple<int, std::string> row;
    long sum = 0;
    while (in >> row) sum += std::get<0>(row);
    say("sum", sum);
    pqxx::stateless_cursor<pqxx::cursor_base::read_only, pqxx::cursor_base::owned> cursor{
        t, "SELECT id FROM item ORDER BY id", "c", false};
    show(cursor.retrieve(3, 6));
    show(cursor.retrieve(10, 8));
}

void large_objects(pqxx::connection &c) {
    pqxx::work t{c};
    pqxx::largeobjectaccess object{t};
    object.write(std::string(100000, 'x'));
    object.seek(99995, std::ios::beg);
    char buffer[10];
    say(object.read(buffer, sizeof buffer), object.tell());
    object.remove(t);
    t.commit();
}

struct Listener : pqxx::notification_receiver {
    using pqxx::notification_receiver::notification_receiver;
    bool heard = false;
    void operator()(std::string const &text, int) override {
        say("heard", text);
        heard = true;
    }
};

void notifications(pqxx::connection &c) {
    Listener listener{c, "news"};
    pqxx::connection other;
    pqxx::nontransaction{other}.exec("NOTIFY news, 'one'");
    while (!listener.heard) c.await_notification(1, 0);
    pqxx::work t{c};
    t.exec("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
    t.commit();
    c.set_variable("work_mem", "'7MB'");
    say(c.get_variable("work_mem"));
}

int main() {
    // The driver's own notices would go to standard error.
    pqxx::connection c{std::string{}};
    pqxx::nontransaction{c}.exec(
        "CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, price numeric);"
        "INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n");
    read_only();
    for (auto part : {statements, transactions, streams, large_objects, notifications}) {
        say("==");
        part(c);
    }
    say("end");
}
