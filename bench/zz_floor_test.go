package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestFloor(t *testing.T) {
	ctx := context.Background()
	be, err := OrmPostgres(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	be.Reset(ctx, 10000)
	held := make([]byte, 64<<20)
	defer runtime.KeepAlive(held)
	w := be.Subjects[0].Open(ctx).(*pgxWork)
	kinds := map[string]func(rows pgx.Rows) int{
		"next": func(rows pgx.Rows) int {
			n := 0
			for rows.Next() {
				n++
			}
			return n
		},
		"scan": func(rows pgx.Rows) int {
			var out []*Article
			for rows.Next() {
				a := &Article{}
				if err := scanArticle(rows, a); err != nil {
					panic(err)
				}
				out = append(out, a)
			}
			return len(out)
		},
		"raw": func(rows pgx.Rows) int {
			var out []*Article
			for rows.Next() {
				a := &Article{}
				rawArticle(rows.RawValues(), a)
				out = append(out, a)
			}
			return len(out)
		},
		"rawblock": func(rows pgx.Rows) int {
			var out []*Article
			var block []Article
			for rows.Next() {
				if len(block) == 0 {
					block = make([]Article, 32)
				}
				a := &block[0]
				block = block[1:]
				rawArticle(rows.RawValues(), a)
				out = append(out, a)
			}
			return len(out)
		},
	}
	names := []string{"next", "scan", "raw", "rawblock"}
	times := map[string][]float64{}
	for range 40 {
		for _, k := range names {
			runtime.GC()
			began := time.Now()
			rows, err := w.pool.Query(ctx, articleAll)
			if err != nil {
				t.Fatal(err)
			}
			kinds[k](rows)
			times[k] = append(times[k], float64(time.Since(began))/10000)
		}
	}
	for _, k := range names {
		slices.Sort(times[k])
		fmt.Println(k, times[k][20], times[k][0])
	}
}

func rawArticle(v [][]byte, a *Article) {
	a.ID = int64(binary.BigEndian.Uint64(v[0]))
	a.Name = string(v[1])
	if v[2] != nil {
		s := string(v[2])
		a.Note = &s
	}
	a.Price = math.Float64frombits(binary.BigEndian.Uint64(v[3]))
	a.Stock = int32(binary.BigEndian.Uint32(v[4]))
	a.Active = v[5][0] == 1
	us := int64(binary.BigEndian.Uint64(v[6]))
	a.CreatedAt = time.Unix(us/1e6+946684800, us%1e6*1000)
}
