// Prints, as JSON lines, what nats.go says when a server refuses: recorded once, with the versions of both.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"context"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var told = json.NewEncoder(os.Stdout)

func tell(what string, err error) {
	if err != nil {
		told.Encode(map[string]string{"what": what, "text": err.Error()})
	}
}

func main() {
	url, creds := os.Args[1], os.Args[2]
	what := "connect"
	nc, err := nats.Connect(url, nats.UserCredentials(creds), nats.PermissionErrOnSubscribe(true), nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { tell("handler: "+what, err) }),
		nats.ClosedHandler(func(nc *nats.Conn) { tell("closed: "+what, nc.LastError()) }))
	told.Encode(map[string]string{"what": "version", "text": nats.Version})
	if err != nil {
		tell("connect", err)
		return
	}
	settle := func() { nc.Flush(); time.Sleep(100 * time.Millisecond) }
	if len(os.Args) > 3 { // wait for the server to end it
		what = os.Args[3]
		switch what {
		case "payload":
			tell(what, nc.Publish("Ok.subject", make([]byte, 2000)))
		case "subscriptions":
			nc.Subscribe("Ok.subject", func(*nats.Msg) {})
			nc.Subscribe("Ok.subject", func(*nats.Msg) {})
		}
		time.Sleep(2500 * time.Millisecond)
		tell("last: "+what, nc.LastError())
		return
	}
	what = "publish"
	tell(what, nc.Publish("No.subject", nil))
	settle()
	tell("last: "+what, nc.LastError())
	what = "reply"
	tell(what, nc.PublishRequest("Ok.subject", "_R_.x", nil))
	settle()
	what = "subscribe"
	sub, err := nc.SubscribeSync("No.subject")
	tell(what, err)
	settle()
	_, err = sub.NextMsg(time.Second)
	tell("next: "+what, err)
	what = "queue"
	sub, err = nc.QueueSubscribeSync("No.>", "group")
	tell(what, err)
	settle()
	_, err = sub.NextMsg(time.Second)
	tell("next: "+what, err)
	what = "request nobody"
	_, err = nc.Request("Ok.subject", nil, 300*time.Millisecond)
	tell(what, err)
	what = "request denied"
	_, err = nc.Request("No.subject", nil, 300*time.Millisecond)
	tell(what, err)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = nc.RequestWithContext(ctx, "No.subject", nil)
	tell("context: "+what, err)
	what = "legacy jetstream"
	old, _ := nc.JetStream(nats.MaxWait(300 * time.Millisecond))
	_, err = old.AccountInfo()
	tell("account info: "+what, err)
	_, err = old.StreamInfo("missing")
	tell("stream info: "+what, err)
	_, err = old.KeyValue("missing")
	tell("bucket: "+what, err)
	_, err = old.ObjectStore("missing")
	tell("objects: "+what, err)
	_, err = old.Publish("Ok.subject", nil)
	tell("publish: "+what, err)
	what = "jetstream"
	js, _ := jetstream.New(nc, jetstream.WithDefaultTimeout(300*time.Millisecond))
	back := context.Background()
	_, err = js.AccountInfo(back)
	tell("account info: "+what, err)
	_, err = js.Stream(back, "missing")
	tell("stream: "+what, err)
	_, err = js.Consumer(back, "missing", "missing")
	tell("consumer: "+what, err)
	_, err = js.KeyValue(back, "missing")
	tell("bucket: "+what, err)
	_, err = js.ObjectStore(back, "missing")
	tell("objects: "+what, err)
	_, err = js.Publish(back, "Ok.subject", nil)
	tell("publish: "+what, err)
	_, err = js.CreateStream(back, jetstream.StreamConfig{Name: "denied", Subjects: []string{"x"}})
	tell("create: "+what, err)
	settle()
	what = "end"
	nc.Close()
	time.Sleep(50 * time.Millisecond)
	fmt.Fprintln(os.Stderr, "done")
}
