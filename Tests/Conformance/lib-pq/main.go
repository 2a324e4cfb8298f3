// SPDX-License-Identifier: Apache-2.0

// What database/sql with lib/pq sees of the server that the environment names.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/lib/pq"
)

func say(words ...interface{}) { fmt.Println(words...) }

func check(err error) {
	if err != nil {
		say("unexpected", err)
		os.Exit(1)
	}
}

func complain(err error) {
	var server *pq.Error
	switch {
	case err == nil:
		say("no error")
	case errors.As(err, &server):
		say("error", server.Code, server.Message, server.Constraint)
	default:
		say("error", err)
	}
}

func open(options string) *sql.DB {
	db, err := sql.Open("postgres", options)
	check(err)
	return db
}

type querier interface {
	QueryContext(context.Context, string, ...interface{}) (*sql.Rows, error)
}

func show(c querier, text string, values ...interface{}) {
	rows, err := c.QueryContext(context.Background(), text, values...)
	if err != nil {
		complain(err)
		return
	}
	defer rows.Close()
	columns, err := rows.Columns()
	check(err)
	for rows.Next() {
		found := make([]interface{}, len(columns))
		into := make([]interface{}, len(columns))
		for n := range found {
			into[n] = &found[n]
		}
		check(rows.Scan(into...))
		for n, one := range found {
			if text, ok := one.([]byte); ok {
				found[n] = string(text)
			}
		}
		say(found...)
	}
	if rows.Err() != nil {
		complain(rows.Err())
	}
}

func run(db *sql.DB, text string, values ...interface{}) {
	result, err := db.Exec(text, values...)
	if err != nil {
		complain(err)
		return
	}
	count, err := result.RowsAffected()
	say(count, err)
}

func readOnly(db *sql.DB) {
	tx, err := db.BeginTx(context.Background(),
		&sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	check(err)
	show(tx, "SELECT '@replica ' || inet_server_port()")
	_, err = tx.Exec("INSERT INTO refused VALUES ($1)", "x")
	complain(err)
	complain(tx.Rollback())
}

func statements(db *sql.DB) {
	one, err := db.Prepare("SELECT name FROM item WHERE id = $1")
	check(err)
	two, err := db.Prepare("UPDATE item SET price = $1 WHERE id = 7 RETURNING price")
	check(err)
	for n := 0; n < 10; n++ {
		var name, price string
		say(one.QueryRow(n).Scan(&name), name)
		say(two.QueryRow(n).Scan(&price), price)
		show(db, "SELECT $1::int + $2::int", n, 1)
	}
	check(one.Close())
	check(two.Close())
	show(db, "SELECT $1::text, $2::bytea, $3::bool, $4::timestamptz, $5::text[], $6::text",
		"Grüße € ' \\", []byte{0, 1, 255}, true, time.Unix(1709210096, 0).UTC(),
		pq.Array([]string{"a,b", "\""}), nil)
	_, err = db.Prepare("SELECT frobnicate")
	complain(err)
	show(db, "SELECT 1 / $1::int", 0)
	run(db, "INSERT INTO item (name) VALUES ($1)", "name 1")
	run(db, "CREATE TABLE changing AS SELECT 1 AS a")
	show(db, "SELECT * FROM changing WHERE 0 < $1::int", 1)
	run(db, "ALTER TABLE changing ADD COLUMN b int")
	show(db, "SELECT * FROM changing WHERE 0 < $1::int", 1)
	run(db, "DROP TABLE changing; SELECT 1")
}

func transactions(db *sql.DB) {
	tx, err := db.Begin()
	check(err)
	_, err = tx.Exec("INSERT INTO item VALUES (1000, 'new')")
	complain(err)
	_, err = tx.Exec("SAVEPOINT s")
	complain(err)
	_, err = tx.Exec("INSERT INTO item VALUES (1000, $1)", "again")
	complain(err)
	_, err = tx.Exec("ROLLBACK TO s")
	complain(err)
	show(tx, "SELECT name FROM item WHERE id = $1", 1000)
	complain(tx.Rollback())
	show(db, "SELECT count(*) FROM item WHERE id = 1000")
	tx, err = db.Begin()
	check(err)
	show(tx, "SELECT 1 / 0")
	complain(tx.Commit())
}

func copies(db *sql.DB) {
	run(db, "CREATE TABLE copied (a int, b text)")
	for _, last := range []string{"1", "x"} {
		tx, err := db.Begin()
		check(err)
		copying, err := tx.Prepare(pq.CopyIn("copied", "a", "b"))
		check(err)
		for n := 0; n < 2000; n++ {
			_, err = copying.Exec(n, "text")
			check(err)
		}
		_, err = copying.Exec(last, "last")
		check(err)
		_, err = copying.Exec()
		complain(err)
		copying.Close()
		complain(tx.Commit())
	}
	show(db, "SELECT count(*), sum(a) FROM copied")
	run(db, "DROP TABLE copied")
}

func cancelling(db *sql.DB) {
	for n := 0; n < 2; n++ {
		limited, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
		_, err := db.ExecContext(limited, "SELECT pg_sleep(60)")
		complain(err)
		stop()
		show(db, "SELECT 'alive'")
	}
}

func notifications(db *sql.DB) {
	listener := pq.NewListener("", time.Second, time.Minute, nil)
	defer listener.Close()
	check(listener.Listen("news"))
	run(db, "SELECT pg_notify($1, $2)", "news", "one")
	for found := range listener.Notify {
		if found != nil {
			say(found.Channel, found.Extra)
			break
		}
	}
	check(listener.Ping())
	check(listener.Unlisten("news"))
	connector, err := pq.NewConnector("")
	check(err)
	noticing := sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, func(notice *pq.Error) {
		say("notice", notice.Severity, notice.Message)
	}))
	defer noticing.Close()
	run(noticing, "DO $$ BEGIN RAISE NOTICE 'one'; END $$")
}

func together(db *sql.DB) {
	var group sync.WaitGroup
	found := make([]int, 8)
	for n := range found {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			for round := 0; round < 20; round++ {
				var price int
				check(db.QueryRow("UPDATE item SET price = $1 WHERE id = $2 RETURNING price::int",
					round, 50+n).Scan(&price))
				found[n] += price
			}
		}(n)
	}
	group.Wait()
	say(found)
}

func main() {
	first := open("")
	run(first, "CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, price numeric)")
	run(first, "INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n")
	check(first.Close())
	for _, options := range []string{"", "binary_parameters=yes"} {
		say("==", options)
		db := open(options)
		readOnly(db)
		statements(db)
		transactions(db)
		copies(db)
		cancelling(db)
		together(db)
		notifications(db)
		check(db.Close())
	}
	say("end")
}
