use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A connection on which a request has been sent, and the server's end of it.
async fn asked() -> (PlainHeads<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1024 * 1024);
    let mut connection = PlainHeads::new(near);
    connection.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    (connection, far)
}

/// What is left of these pieces, each of which is there before the next is sent.
async fn what_comes_through(pieces: &[&[u8]]) -> io::Result<String> {
    let (mut connection, mut far) = asked().await;
    let mut read = Vec::new();
    for piece in pieces {
        far.write_all(piece).await.unwrap();
        let mut buffer = [0; 7];
        while let Some(count) = futures_util::FutureExt::now_or_never(connection.read(&mut buffer)) {
            read.extend_from_slice(&buffer[..count?]);
        }
    }
    drop(far);
    connection.read_to_end(&mut read).await?;
    Ok(String::from_utf8(read).unwrap())
}

/// Checks what is left of this when it is sent in pieces of each of these sizes.
async fn assert_comes_through(sent: &str, sizes: impl IntoIterator<Item = usize>, expected: &str) {
    for size in sizes {
        let pieces: Vec<&[u8]> = sent.as_bytes().chunks(size).collect();
        let left = what_comes_through(&pieces).await.unwrap();
        assert_eq!(left, expected, "{sent:?} in pieces of {size}");
    }
}

#[actix_web::test]
async fn interim_answers_are_taken_out_however_they_are_cut() {
    let sent = [CONTINUE, HINTS, CONTINUE, ANSWER].concat();
    assert_comes_through(&sent, 1..sent.len(), ANSWER).await;
}

#[actix_web::test]
async fn everything_else_comes_through_as_it_was_sent() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 100 no head any more\r\n\r\n";
    let after = format!("{ANSWER}{CONTINUE}");
    for sent in [
        ANSWER,
        switching,
        &after,
        "not http",
        "HTTP/1",
        "HTTP/1.1 1",
        "HTTP/1.0 200 OK\r\n\r\nuntil it closes",
        "HTTP/2 103 x\r\n\r\n",
        "",
    ] {
        assert_comes_through(sent, [1, 5, 1000], sent).await;
    }
}

#[actix_web::test]
async fn each_request_on_a_connection_may_have_interim_answers() {
    let (mut connection, mut far) = asked().await;
    for _ in 0..3 {
        far.write_all([HINTS, ANSWER].concat().as_bytes()).await.unwrap();
        let mut answer = vec![0; ANSWER.len()];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, ANSWER.as_bytes());
        connection.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    }
}

#[actix_web::test]
async fn interim_answers_without_end_are_an_error() {
    let many = HINTS.repeat(MOST_BYTES / HINTS.len() + 2);
    assert!(what_comes_through(&[many.as_bytes()]).await.is_err());
}

#[actix_web::test]
async fn interim_answers_that_come_one_by_one_without_end_are_an_error_too() {
    let (mut connection, mut far) = asked().await;
    let mut buffer = [0; 1024];
    for _ in 0..MOST_BYTES / HINTS.len() + 2 {
        far.write_all(HINTS.as_bytes()).await.unwrap();
        if let Some(read) = futures_util::FutureExt::now_or_never(connection.read(&mut buffer)) {
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
            return;
        }
    }
    panic!("waits for more");
}

#[actix_web::test]
async fn an_answer_that_ends_with_the_connection_says_so_in_its_version() {
    let body = "\r\ncontent-type: text/plain\r\n\r\nHTTP/1.1 is what it says";
    let sent = format!("{HINTS}HTTP/1.1 200 OK{body}");
    let expected = format!("HTTP/1.0 200 OK{body}");
    assert_comes_through(&sent, [1, 5, 1000], &expected).await;
    for whole in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nCONTENT-LENGTH: 0\n\n",
    ] {
        assert_comes_through(whole, [whole.len()], whole).await;
    }
}

#[actix_web::test]
async fn an_answer_without_a_body_by_its_status_announces_none_and_is_its_connections_last() {
    for (sent, expected) in [
        (
            "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 204 \r\nconnection: close\r\n\r\n",
        ),
        (
            "HTTP/1.0 205 Reset Content\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 205 \r\nconnection: close\r\n\r\n0\r\n\r\n",
        ),
        (
            "HTTP/1.1 304 Not Modified\nconnection: keep-alive\n\nstray",
            "HTTP/1.1 304 \r\nconnection: close\r\n\r\nstray",
        ),
    ] {
        assert_comes_through(sent, [1, 1000], expected).await;
    }
}

#[actix_web::test]
async fn stray_line_breaks_before_an_answer_hide_no_interim_answer() {
    let sent = ["\r\n", CONTINUE, "\r\n", HINTS, ANSWER].concat();
    assert_comes_through(&sent, [1, 3, 1000], ANSWER).await;
}

#[actix_web::test]
async fn a_head_without_end_is_given_on_for_the_client_to_refuse() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(MOST_BYTES));
    assert_comes_through(&long, [long.len()], &long).await;
}

const REFUSAL: &str = "HTTP/1.1 413 Content Too Large\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nno";
const CLOSING: &str =
    "HTTP/1.1 413 Content Too Large\r\nconnection: keep-alive\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";

/// A connection that takes this many bytes at a time, and its far end.
fn narrow(room: usize) -> (PlainHeads<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(room);
    (PlainHeads::new(near), far)
}

/// More than a narrow connection takes at once.
const LONG: usize = 4096;

/// Sends a long request, and reads everything that is answered.
async fn ask_at_length(connection: &mut PlainHeads<DuplexStream>) -> String {
    connection.write_all(&[b'x'; LONG]).await.unwrap();
    let mut read = String::new();
    connection.read_to_string(&mut read).await.unwrap();
    read
}

#[actix_web::test]
async fn the_rest_of_a_request_that_was_refused_is_passed_over() {
    for sent in [REFUSAL.to_owned(), [CONTINUE, HINTS, REFUSAL].concat()] {
        let (mut connection, mut far) = narrow(1024);
        far.write_all(sent.as_bytes()).await.unwrap();
        let request = vec![b'x'; 1024 * 1024];
        connection.write_all(&request).await.unwrap();
        connection.flush().await.unwrap();
        let mut read = vec![0; CLOSING.len()];
        connection.read_exact(&mut read).await.unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), CLOSING);
    }
}

#[actix_web::test]
async fn a_refusal_that_comes_in_pieces_while_the_request_is_written_is_noticed() {
    let (mut connection, mut far) = narrow(64);
    let refusing = async {
        for piece in REFUSAL.as_bytes().chunks(7) {
            far.write_all(piece).await.unwrap();
        }
        drop(far);
    };
    assert_eq!(tokio::join!(ask_at_length(&mut connection), refusing).0, CLOSING);
}

#[actix_web::test]
async fn whoever_answers_well_and_reads_on_gets_the_whole_request() {
    let (mut connection, mut far) = narrow(64);
    let answering = async {
        far.write_all(ANSWER.as_bytes()).await.unwrap();
        let mut got = vec![0; LONG];
        far.read_exact(&mut got).await.unwrap();
        drop(far);
    };
    assert_eq!(tokio::join!(ask_at_length(&mut connection), answering).0, ANSWER);
}

#[actix_web::test]
async fn whatever_was_answered_before_the_provider_went_away_is_read() {
    for (sent, expected) in [
        (REFUSAL, CLOSING),
        (
            ANSWER,
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        ),
        ("HTTP/1.1 401 x\n\nwho", "HTTP/1.0 401 x\nconnection: close\r\n\nwho"),
    ] {
        let (mut connection, mut far) = narrow(1024);
        far.write_all(sent.as_bytes()).await.unwrap();
        drop(far);
        assert_eq!(ask_at_length(&mut connection).await, expected);
    }
    let (mut connection, far) = narrow(1024);
    drop(far);
    assert!(connection.write_all(b"x").await.is_err(), "nothing was answered");
}
