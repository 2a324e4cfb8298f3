// SPDX-License-Identifier: Apache-2.0

// What pgx sees of the server that the environment names: pipelined batches, its statement
// cache in both modes, binary values, CopyFrom, and the simple protocol.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgconn/stmtcache"
	"github.com/jackc/pgx/v4"
)

var background = context.Background()

func say(words ...interface{}) { fmt.Println(words...) }

func check(err error) {
	if err != nil {
		say("unexpected", err)
		os.Exit(1)
	}
}

func complain(err error) {
	var server *pgconn.PgError
	switch {
	case err == nil:
		say("no error")
	case errors.As(err, &server):
		say("error", server.Code, server.Message, server.Detail, server.ConstraintName)
	default:
		say("error", strings.ReplaceAll(err.Error(), os.Getenv("PGPORT"), "PORT"))
	}
}

func connect(change func(*pgx.ConnConfig)) *pgx.Conn {
	config, err := pgx.ParseConfig("")
	check(err)
	if change != nil {
		change(config)
	}
	connection, err := pgx.ConnectConfig(background, config)
	check(err)
	return connection
}

type querier interface {
	Query(context.Context, string, ...interface{}) (pgx.Rows, error)
}

func show(c querier, text string, values ...interface{}) {
	rows, err := c.Query(background, text, values...)
	if err == nil {
		print(rows)
		return
	}
	complain(err)
}

func print(rows pgx.Rows) {
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		check(err)
		say(values...)
	}
	if rows.Err() != nil {
		complain(rows.Err())
	}
}

func run(c *pgx.Conn, text string, values ...interface{}) {
	tag, err := c.Exec(background, text, values...)
	if err != nil {
		complain(err)
		return
	}
	say(tag)
}

func modes() map[string]func(*pgx.ConnConfig) {
	cache := func(mode, capacity int) func(*pgx.ConnConfig) {
		return func(config *pgx.ConnConfig) {
			config.BuildStatementCache = func(c *pgconn.PgConn) stmtcache.Cache {
				return stmtcache.New(c, mode, capacity)
			}
		}
	}
	return map[string]func(*pgx.ConnConfig){
		"prepare":  cache(stmtcache.ModePrepare, 5),
		"describe": cache(stmtcache.ModeDescribe, 5),
		"none":     func(config *pgx.ConnConfig) { config.BuildStatementCache = nil },
		"simple":   func(config *pgx.ConnConfig) { config.PreferSimpleProtocol = true },
	}
}

func readOnly() {
	c := connect(nil)
	defer c.Close(background)
	tx, err := c.BeginTx(background, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	check(err)
	show(tx, "SELECT '@replica ' || inet_server_port()")
	_, err = tx.Exec(background, "INSERT INTO refused VALUES ($1)", "x")
	complain(err)
	complain(tx.Rollback(background))
	tx, err = c.BeginTx(background, pgx.TxOptions{
		IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
	check(err)
	show(tx, "SHOW transaction_isolation")
	complain(tx.Commit(background))
}

func statements(c *pgx.Conn) {
	for n := 0; n < 12; n++ {
		show(c, "SELECT name FROM item WHERE id = $1", n)
		show(c, "UPDATE item SET price = $1 WHERE id = 7 RETURNING price::text", n)
		show(c, fmt.Sprintf("SELECT %d + $1::int", n%7), n)
	}
	show(c, "SELECT $1::int8, $2::text, $3::bytea, $4::bool, $5::timestamptz, $6::text[], $7::float8",
		int64(-1)<<63, "Grüße € ' \\", []byte{0, 1, 255}, true,
		time.Date(2024, 2, 29, 12, 34, 56, 789000, time.UTC), []string{"a,b", "\""}, 1.5)
	_, err := c.Prepare(background, "named", "SELECT id, name FROM item WHERE id = $1")
	check(err)
	show(c, "named", 3)
	complain(c.Deallocate(background, "named"))
	_, err = c.Prepare(background, "wrong", "SELECT frobnicate")
	complain(err)
	show(c, "SELECT 1 / $1::int", 0)
	run(c, "INSERT INTO item (name) VALUES ($1)", "name 1")
	run(c, "CREATE TABLE changing AS SELECT 1 AS a")
	show(c, "SELECT * FROM changing WHERE 0 < $1::int", 1)
	run(c, "ALTER TABLE changing ADD COLUMN b int")
	show(c, "SELECT * FROM changing WHERE 0 < $1::int", 1)
	show(c, "SELECT * FROM changing WHERE 0 < $1::int", 1)
	run(c, "DROP TABLE changing")
}

func batches(c *pgx.Conn) {
	batch := &pgx.Batch{}
	for n := 0; n < 30; n++ {
		batch.Queue("SELECT $1::int * id FROM item WHERE id < 3 ORDER BY id", n)
		batch.Queue("UPDATE item SET price = price + 1 WHERE id = $1", n)
	}
	results := c.SendBatch(background, batch)
	for n := 0; n < 30; n++ {
		rows, err := results.Query()
		check(err)
		print(rows)
		tag, err := results.Exec()
		check(err)
		say(tag)
	}
	complain(results.Close())
	failing := &pgx.Batch{}
	failing.Queue("INSERT INTO item (name) VALUES ($1)", "rolled back")
	failing.Queue("SELECT 1 / $1::int", 0)
	failing.Queue("INSERT INTO item (name) VALUES ($1)", "skipped")
	results = c.SendBatch(background, failing)
	for n := 0; n < 3; n++ {
		_, err := results.Exec()
		complain(err)
	}
	complain(results.Close())
	show(c, "SELECT count(*) FROM item WHERE name IN ('rolled back', 'skipped')")
}

func transactions(c *pgx.Conn) {
	tx, err := c.Begin(background)
	check(err)
	inner, err := tx.Begin(background)
	check(err)
	_, err = inner.Exec(background, "INSERT INTO item VALUES (1, 'twice')")
	complain(err)
	complain(inner.Rollback(background))
	_, err = tx.Exec(background, "INSERT INTO item VALUES (1000, 'new')")
	complain(err)
	show(tx, "SELECT count(*) FROM item WHERE id = 1000")
	complain(tx.Rollback(background))
	show(c, "SELECT count(*) FROM item WHERE id = 1000")
	tx, err = c.Begin(background)
	check(err)
	_, err = tx.Exec(background, "SELECT 1 / 0")
	complain(err)
	complain(tx.Commit(background))
	run(c, "SELECT 1; SELECT 2")
	run(c, "BEGIN; SELECT 1; COMMIT")
}

func copies(c *pgx.Conn) {
	run(c, "CREATE TABLE copied (a int4, b text)")
	var rows [][]interface{}
	for n := int32(0); n < 5000; n++ {
		rows = append(rows, []interface{}{n, fmt.Sprint("text ", n)})
	}
	count, err := c.CopyFrom(
		background, pgx.Identifier{"copied"}, []string{"a", "b"}, pgx.CopyFromRows(rows))
	say(count, err)
	var out strings.Builder
	tag, err := c.PgConn().CopyTo(
		background, &out, "COPY (SELECT * FROM copied ORDER BY a LIMIT 3) TO STDOUT")
	say(tag, err, out.String())
	_, err = c.PgConn().CopyFrom(
		background, strings.NewReader("x\ty\n"), "COPY copied FROM STDIN")
	complain(err)
	show(c, "SELECT count(*), sum(a) FROM copied")
	run(c, "DROP TABLE copied")
}

func cursors(c *pgx.Conn) {
	tx, err := c.Begin(background)
	check(err)
	_, err = tx.Exec(background, "DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id")
	check(err)
	show(tx, "FETCH 3 FROM c")
	show(tx, "MOVE 5 FROM c")
	show(tx, "FETCH 1 FROM c")
	complain(tx.Commit(background))
}

func largeObjects(c *pgx.Conn) {
	tx, err := c.Begin(background)
	check(err)
	objects := tx.LargeObjects()
	oid, err := objects.Create(background, 0)
	check(err)
	object, err := objects.Open(background, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
	check(err)
	_, err = object.Write(make([]byte, 100000))
	check(err)
	position, err := object.Seek(-5, 2)
	say(position, err)
	buffer := make([]byte, 10)
	count, _ := object.Read(buffer)
	say(count)
	check(object.Close())
	check(objects.Unlink(background, oid))
	complain(tx.Commit(background))
}

func cancelling(c *pgx.Conn) {
	limited, stop := context.WithTimeout(background, 300*time.Millisecond)
	defer stop()
	_, err := c.Exec(limited, "SELECT pg_sleep(60)")
	say(err != nil, c.IsClosed())
	other := connect(nil)
	defer other.Close(background)
	go func() {
		time.Sleep(300 * time.Millisecond)
		if err := other.PgConn().CancelRequest(background); err != nil {
			say("cancelling", err)
		}
	}()
	run(other, "SELECT pg_sleep(60)")
	show(other, "SELECT 'alive'")
}

func notifications() {
	seen := []string{}
	c := connect(func(config *pgx.ConnConfig) {
		config.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) {
			seen = append(seen, notice.Severity+" "+notice.Message)
		}
	})
	defer c.Close(background)
	other := connect(nil)
	defer other.Close(background)
	run(c, "DO $$ BEGIN RAISE NOTICE 'one'; END $$")
	run(c, "DROP TABLE IF EXISTS nothing")
	say(seen)
	run(c, "LISTEN news")
	run(other, "SELECT pg_notify($1, $2)", "news", "one")
	run(other, "NOTIFY news, 'two'")
	for n := 0; n < 2; n++ {
		found, err := c.WaitForNotification(background)
		check(err)
		say(found.Channel, found.Payload)
	}
	run(c, "UNLISTEN *")
}

func together() {
	var group sync.WaitGroup
	found := make([]int, 8)
	for n := range found {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			c := connect(nil)
			defer c.Close(background)
			for round := 0; round < 20; round++ {
				var price int
				err := c.QueryRow(background, "UPDATE item SET price = $1 WHERE id = $2"+
					" RETURNING price::int", round, 50+n).Scan(&price)
				check(err)
				found[n] += price
			}
		}(n)
	}
	group.Wait()
	say(found)
}

func main() {
	c := connect(nil)
	run(c, "CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE, price numeric)")
	run(c, "INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n")
	check(c.Close(background))
	readOnly()
	all := modes()
	for _, name := range []string{"prepare", "describe", "none", "simple"} {
		say("==", name)
		c := connect(all[name])
		statements(c)
		batches(c)
		transactions(c)
		copies(c)
		cursors(c)
		largeObjects(c)
		cancelling(c)
	}
	notifications()
	together()
	say("end")
}
