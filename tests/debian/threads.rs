// Rust's standard library with threads: channels, locks, condition variables, scopes, loopback TCP, a child process, a caught panic.
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

thread_local!(static MINE: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });

fn main() {
    let (sender, receiver) = mpsc::channel();
    for i in 0..8u64 {
        let sender = sender.clone();
        thread::Builder::new().name(format!("worker {i}")).spawn(move || {
            MINE.set(i as u32);
            for j in 0..500 {
                sender.send(i * j).unwrap();
            }
            assert_eq!(MINE.get(), i as u32);
        }).unwrap();
    }
    drop(sender);
    println!("{} {}", receiver.iter().sum::<u64>(), MINE.get());

    let (total, barrier, lock) = (AtomicU64::new(0), Barrier::new(4), RwLock::new(Vec::new()));
    thread::scope(|scope| {
        for i in 0..4 {
            let (total, barrier, lock) = (&total, &barrier, &lock);
            scope.spawn(move || {
                for _ in 0..1000 {
                    total.fetch_add(i, Ordering::Relaxed);
                }
                barrier.wait();
                lock.write().unwrap().push(total.load(Ordering::SeqCst));
            });
        }
    });
    println!("{:?}", lock.read().unwrap());

    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let other = {
        let turn = Arc::clone(&turn);
        thread::spawn(move || pass(&turn, 1))
    };
    pass(&turn, 0);
    other.join().unwrap();
    println!("{}", turn.0.lock().unwrap());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            stream.write_all(line.to_uppercase().as_bytes()).unwrap();
        }
    });
    for i in 0..3 {
        let mut stream = TcpStream::connect(address).unwrap();
        writeln!(stream, "request {i}").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        print!("{line}");
    }
    server.join().unwrap();

    let mut child = Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"to the child\n").unwrap();
    let output = child.wait_with_output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{:?} {:?}", output.status.code(), Command::new("/nonexistent").spawn().map_err(|error| error.kind()).err());

    let failed = thread::spawn(|| {
        let empty: Vec<u32> = Vec::new();
        empty[std::env::args().count()]
    });
    println!("{}", failed.join().is_err());
    let start = Instant::now();
    thread::park_timeout(Duration::from_millis(20));
    println!("{}", start.elapsed() >= Duration::from_millis(19));
    std::process::exit(17);
}

fn pass(turn: &(Mutex<u32>, Condvar), parity: u32) {
    for _ in 0..200 {
        let mut value = turn.1.wait_while(turn.0.lock().unwrap(), |value| *value % 2 != parity).unwrap();
        *value += 1;
        turn.1.notify_all();
    }
}
