// Issues users through the Go jwt library (key, claims, signature, own output decoded) and prints users per second.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

func main() {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		panic(err)
	}
	start := time.Now()
	for i := 0; i < count; i++ {
		user, err := nkeys.CreateUser()
		if err != nil {
			panic(err)
		}
		public, _ := user.PublicKey()
		claims := jwt.NewUserClaims(public)
		claims.Name = fmt.Sprintf("user-%d", i)
		claims.Pub.Allow.Add("orders.*.created", "orders.>")
		claims.Sub.Allow.Add("_INBOX.>", "stock.*")
		token, err := claims.Encode(account)
		if err != nil {
			panic(err)
		}
		if _, err := jwt.DecodeUserClaims(token); err != nil {
			panic(err)
		}
		seed, _ := user.Seed()
		if _, err := jwt.FormatUserConfig(token, seed); err != nil {
			panic(err)
		}
	}
	fmt.Printf("%f\n", float64(count)/time.Since(start).Seconds())
}
