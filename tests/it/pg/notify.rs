//! LISTEN and NOTIFY: delivered at commit, also to a connection that is idle.

use tokio_postgres::AsyncMessage;

use crate::support::Node;

#[tokio::test(flavor = "multi_thread")]
async fn delivered_while_idle() {
    let node = Node::start().await;
    let (listener, mut messages) = node.connect_listening().await;
    listener.batch_execute("LISTEN news").await.unwrap();
    let sender = node.connect().await;
    sender.batch_execute("BEGIN; NOTIFY news, 'first'; ROLLBACK").await.unwrap();
    sender.batch_execute("NOTIFY other, 'x'; NOTIFY news, 'second'").await.unwrap();
    let received = tokio::time::timeout(std::time::Duration::from_secs(20), messages.recv()).await.unwrap().unwrap();
    let AsyncMessage::Notification(notification) = received else { panic!("{received:?}") };
    assert_eq!((notification.channel(), notification.payload()), ("news", "second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_senders_own_come_before_ready() {
    let node = Node::start().await;
    let mut raw = node.raw().await;
    raw.send(b'Q', b"LISTEN a\0").await;
    assert_eq!(raw.kinds().await, "CZ");
    raw.send(b'Q', b"NOTIFY a\0").await;
    assert_eq!(raw.kinds().await, "CAZ");
    // Not inside a transaction block.
    raw.send(b'Q', b"BEGIN; NOTIFY a\0").await;
    assert_eq!(raw.kinds().await, "CCZ");
    raw.send(b'Q', b"COMMIT\0").await;
    assert_eq!(raw.kinds().await, "CAZ");
}
