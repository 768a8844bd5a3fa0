//! Foreign keys under concurrent transactions: whoever commits second loses, and no row refers to nothing.

use crate::support::Node;

const SCHEMA: &str = "CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE); \
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, code text REFERENCES parent (code)); \
    CREATE INDEX child_parent ON child (parent); \
    INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')";

async fn orphans(node: &Node) -> i64 {
    let query = "SELECT count(*) FROM child c WHERE c.parent IS NOT NULL AND NOT EXISTS \
        (SELECT 1 FROM parent p WHERE p.id = c.parent) OR c.code IS NOT NULL AND NOT EXISTS \
        (SELECT 1 FROM parent p WHERE p.code = c.code)";
    node.connect().await.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_a_parent_that_is_deleted_at_the_same_time_is_refused() {
    let node = Node::start().await;
    let (one, two) = (node.connect().await, node.connect().await);
    one.batch_execute(SCHEMA).await.unwrap();
    // The deletion commits first.
    one.batch_execute("BEGIN; INSERT INTO child VALUES (10, 1, NULL)").await.unwrap();
    two.batch_execute("DELETE FROM parent WHERE id = 1").await.unwrap();
    let error = one.batch_execute("COMMIT").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23503");
    // The same by a unique column, which is no row key.
    one.batch_execute("BEGIN; INSERT INTO child VALUES (11, NULL, 'b')").await.unwrap();
    two.batch_execute("UPDATE parent SET code = 'bb' WHERE id = 2").await.unwrap();
    let error = one.batch_execute("COMMIT").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23503");
    assert_eq!(orphans(&node).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_gets_a_child_at_the_same_time_stays() {
    let node = Node::start().await;
    let (one, two) = (node.connect().await, node.connect().await);
    one.batch_execute(SCHEMA).await.unwrap();
    // Found by the index on child (parent).
    one.batch_execute("BEGIN; DELETE FROM parent WHERE id = 3").await.unwrap();
    two.batch_execute("INSERT INTO child VALUES (12, 3, NULL)").await.unwrap();
    let error = one.batch_execute("COMMIT").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23503");
    // No index leads to child (code).
    one.batch_execute("BEGIN; DELETE FROM parent WHERE id = 4").await.unwrap();
    two.batch_execute("INSERT INTO child VALUES (13, NULL, 'd')").await.unwrap();
    let error = one.batch_execute("COMMIT").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23503");
    assert_eq!(orphans(&node).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_that_misses_a_new_child_is_refused() {
    let node = Node::start().await;
    let (one, two) = (node.connect().await, node.connect().await);
    let schema = "CREATE TABLE parent (id int PRIMARY KEY); \
        CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE, code text); \
        ALTER TABLE parent ADD COLUMN code text; INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1)";
    one.batch_execute(schema).await.unwrap();
    one.batch_execute("BEGIN; DELETE FROM parent WHERE id = 1").await.unwrap();
    two.batch_execute("INSERT INTO child VALUES (2, 1)").await.unwrap();
    let error = one.batch_execute("COMMIT").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "23503");
    // A statement by itself takes the new child with it.
    one.batch_execute("DELETE FROM parent WHERE id = 1").await.unwrap();
    let left: i64 = one.query_one("SELECT count(*) FROM child", &[]).await.unwrap().get(0);
    assert_eq!(left, 0);
}
