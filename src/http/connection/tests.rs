use std::task::Waker;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::traffic::CLOSING;
use super::*;

fn connection() -> (Connection<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(16);
    (Connection::new(ours, &HttpSettings::default()), theirs)
}

async fn read(connection: &mut Connection<DuplexStream>) -> io::Result<usize> {
    connection.read(&mut [0; 64]).await
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_second_request_has_its_time_however_it_drips() {
    let (mut connection, mut client) = connection();
    let first = connection.traffic().begin();
    drop(first);
    let start = Instant::now();
    let drip = async {
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    };
    let reading = async {
        loop {
            if let Err(error) = read(&mut connection).await {
                return error.kind();
            }
        }
    };
    let ended = tokio::select! {
        kind = reading => kind,
        () = drip => panic!("the client was cut by something else"),
    };
    assert_eq!(ended, io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed(), HttpSettings::default().head_timeout);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_request_and_while_one_is_under_way_there_is_no_limit() {
    let (mut connection, mut client) = connection();
    let traffic = connection.traffic();
    let waits = Duration::from_secs(60);
    assert!(
        tokio::time::timeout(waits, read(&mut connection)).await.is_err(),
        "unused"
    );
    let (_first, _second) = (traffic.begin(), drop(traffic.begin()));
    client.write_all(b"more").await.unwrap();
    assert_eq!(read(&mut connection).await.unwrap(), 4);
    assert!(
        tokio::time::timeout(waits, read(&mut connection)).await.is_err(),
        "under way"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_follows_ends_and_at_once_after_its_last_answer() {
    let settings = HttpSettings::default();
    for (closes, patience) in [(false, settings.keep_alive + settings.head_timeout), (true, CLOSING)] {
        let (mut connection, _client) = connection();
        let mut request = connection.traffic().begin();
        if closes {
            request.close_after();
        }
        drop(request);
        let start = Instant::now();
        let error = read(&mut connection).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, patience));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut_and_one_that_takes_a_little_is_not() {
    let (mut connection, mut client) = connection();
    let slow = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            client.read_exact(&mut [0; 4]).await.unwrap();
        }
    };
    let long = [0; 56];
    let (written, ()) = tokio::join!(connection.write_all(&long), slow);
    written.unwrap();
    let start = Instant::now();
    let error = connection.write_all(&[0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed(), HttpSettings::default().write_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_long_body_is_handed_over_in_turns_between_which_others_may_run() {
    let (ours, mut client) = duplex(MOST_AT_ONCE * 4);
    let mut connection = Connection::new(ours, &HttpSettings::default());
    let length = MOST_AT_ONCE * 3;
    let head = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; length]).await.unwrap();
    let mut expected = head.len() + length;
    let mut cx = Context::from_waker(Waker::noop());
    let mut turns = 0;
    while expected > 0 {
        let mut in_this_turn = 0;
        loop {
            // More room than there is in a turn.
            let mut bytes = [0; MOST_AT_ONCE * 2 / 3];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut connection).poll_read(&mut cx, &mut buffer) {
                Poll::Ready(read) => read.unwrap(),
                Poll::Pending => break,
            }
            in_this_turn += buffer.filled().len();
        }
        assert!((1..=MOST_AT_ONCE).contains(&in_this_turn), "{in_this_turn}");
        expected -= in_this_turn;
        turns += 1;
    }
    assert_eq!(turns, 4, "the head is in the first of them");
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_body_that_is_answered_already_comes_without_a_pause() {
    let (ours, mut client) = duplex(MOST_AT_ONCE * 4);
    let mut connection = Connection::new(ours, &HttpSettings::default());
    let length = MOST_AT_ONCE * 3;
    let head = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read(&mut connection).await.unwrap(), head.len());
    drop(connection.traffic().begin());
    client.write_all(&vec![b'x'; length]).await.unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = vec![0; length];
    let mut buffer = ReadBuf::new(&mut bytes);
    let read = Pin::new(&mut connection).poll_read(&mut cx, &mut buffer);
    assert!(matches!(read, Poll::Ready(Ok(()))));
    assert_eq!(buffer.filled().len(), length);
}

#[tokio::test(start_paused = true)]
async fn a_request_comes_in_one_piece_however_much_came_before_it() {
    let (ours, mut client) = duplex(MOST_AT_ONCE * 2);
    let mut connection = Connection::new(ours, &HttpSettings::default());
    let length = MOST_AT_ONCE / 3;
    let body = "x".repeat(length);
    let request = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut cx = Context::from_waker(Waker::noop());
    for number in 0..5 {
        client.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = [0; MOST_AT_ONCE];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = Pin::new(&mut connection).poll_read(&mut cx, &mut buffer);
        assert!(matches!(read, Poll::Ready(Ok(()))), "request {number}: {read:?}");
        assert_eq!(buffer.filled().len(), request.len(), "request {number}");
        let under_way = connection.traffic().begin();
        assert!(Pin::new(&mut connection).poll_read(&mut cx, &mut buffer).is_pending());
        drop(under_way);
    }
}
