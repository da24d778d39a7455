// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Describe names the database of a data source name, for people, and without a secret. The error is one of a name that
// cannot be parsed; nothing is connected to.
func Describe(dsn string) (string, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return "", hideSecrets(err)
	}
	c := config.ConnConfig
	return fmt.Sprintf("database %s of %s", c.Database, net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))), nil
}
