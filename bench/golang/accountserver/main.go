// Serves account JWTs from a folder as nats-account-server does: per request one file read, the JWT decoded for its
// jti and expiry, ETag and Cache-Control. A stand-in, for machines where the archived original can't be had.
package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
)

func main() {
	folder, address := os.Args[1], os.Args[2]
	const prefix = "/jwt/v1/accounts/"
	http.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, prefix)
		if len(key) != 56 || strings.ContainsAny(key, "/.") {
			http.Error(w, "no matching account JWT", http.StatusNotFound)
			return
		}
		text, err := os.ReadFile(filepath.Join(folder, key+".jwt"))
		if err != nil {
			http.Error(w, "no matching account JWT", http.StatusNotFound)
			return
		}
		claims, err := jwt.DecodeGeneric(string(text))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		tag := `"` + claims.ID + `"`
		w.Header().Set("Etag", tag)
		if strings.Contains(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fresh := max(0, claims.Expires-time.Now().Unix())
		w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d, stale-while-revalidate=3600, stale-if-error=3600", fresh))
		w.Header().Set("Content-Type", "application/jwt")
		w.Write(text)
	})
	if err := http.ListenAndServe(address, nil); err != nil {
		panic(err)
	}
}
