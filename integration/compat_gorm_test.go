package integration_test

import (
	"database/sql"
	"errors"
	"testing"

	gormmysql "gorm.io/driver/mysql"
	gormpostgres "gorm.io/driver/postgres"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	sp "github.com/sessionproxy/sessionproxy"
)

// gormTeam and gormPlayer are gorm's models.
type gormTeam struct {
	ID      uint
	Name    string
	Players []gormPlayer `gorm:"foreignKey:TeamID"`
}

type gormPlayer struct {
	ID     uint
	TeamID uint
	Name   string
}

func gormOn(d database, db *sql.DB) gorm.Dialector {
	switch d.system {
	case sp.PostgreSQL:
		return gormpostgres.New(gormpostgres.Config{Conn: db})
	case sp.SQLite:
		return &gormsqlite.Dialector{Conn: db}
	default:
		return gormmysql.New(gormmysql.Config{Conn: db})
	}
}

func TestGormRunsUnchanged(t *testing.T) {
	t.Parallel()
	errStop := errors.New("stop")
	onEachCompatible(t, func(t *testing.T, d database, db *sql.DB, c *telemetry) {
		g, err := gorm.Open(gormOn(d, db), &gorm.Config{Logger: logger.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.AutoMigrate(&gormTeam{}, &gormPlayer{}); err != nil {
			t.Fatal(err)
		}
		ctx, span := c.under(t)
		team := gormTeam{Name: "red", Players: []gormPlayer{{Name: "ann"}, {Name: "bob"}}}
		if err := g.WithContext(ctx).Create(&team).Error; err != nil {
			t.Fatal(err)
		}
		c.spansOf(t, d, span, "INSERT gorm_teams", "INSERT gorm_players")

		var read gormTeam
		if err := g.WithContext(ctx).Preload("Players").First(&read, "name = ?", "red").Error; err != nil || len(read.Players) != 2 {
			t.Fatalf("%+v, error %v", read, err)
		}
		c.spansOf(t, d, span, "SELECT gorm_teams", "SELECT gorm_players")

		err = g.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Model(&read).Update("name", "blue").Error; err != nil {
				return err
			}
			inner := tx.Transaction(func(tx *gorm.DB) error { // a savepoint
				return errors.Join(tx.Delete(&gormPlayer{}, "name = ?", "ann").Error, errStop)
			})
			if !errors.Is(inner, errStop) {
				return inner
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		c.spansOf(t, d, span, "UPDATE gorm_teams", "INSERT gorm_players", "SAVEPOINT", "DELETE gorm_players")
		var n int64
		if err := g.Model(&gormPlayer{}).Count(&n).Error; err != nil || n != 2 {
			t.Errorf("%d players, error %v: the savepoint was not rolled back", n, err)
		}
		if err := g.Where("name = ?", "blue").First(&gormTeam{}).Error; err != nil {
			t.Error(err)
		}
	})
}
