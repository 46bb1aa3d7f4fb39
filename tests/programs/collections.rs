// Rust's standard library: collections, formatting, sorting, iterators, threads' absence, panics that are caught, environment.
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::io::{Read, Write};

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Circle { radius: f64 },
    Square(f64),
    Nothing,
}

fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let mut words: HashMap<&str, usize> = HashMap::new();
    for word in input.split_whitespace() {
        *words.entry(word).or_default() += 1;
    }
    let mut counted: Vec<_> = words.into_iter().collect();
    counted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    println!("{:?}", &counted[..counted.len().min(5)]);
    let tree: BTreeMap<u32, String> = (0..1000).map(|i| (i * 7919 % 1009, format!("{i:04x}"))).collect();
    println!("{:?}", tree.iter().take(5).collect::<Vec<_>>());
    let mut heap: BinaryHeap<u64> = (1..200).map(|i| i * i % 1013).collect();
    println!("{:?}", (0..5).filter_map(|_| heap.pop()).collect::<Vec<_>>());
    let mut queue: VecDeque<i32> = (0..10).collect();
    queue.rotate_left(3);
    queue.extend([100, 200]);
    println!("{queue:?} {}", queue.iter().sum::<i32>());
    let set: HashSet<char> = "capability".chars().collect();
    println!("{} distinct letters", set.len());
    let shapes = [Shape::Circle { radius: 1.5 }, Shape::Square(2.25), Shape::Nothing];
    println!("{shapes:?}\n{:#?}", shapes[0]);
    println!("{:>10.3}|{:<10}|{:^10}|{:+e}|{:#x}|{:#b}|{:?}", std::f64::consts::E, "left", "mid", 12345.678, 255, 5, "q\"\n\u{1f600}");
    println!("{:?} {:?} {:?}", "12".parse::<u8>(), "300".parse::<u8>().is_err(), "1e-7".parse::<f64>());
    println!("{:?} {} {}", 0.1 + 0.2, f64::MAX, 1.0e-7f32);
    println!("{:?} {:?} {}", 250u8.checked_add(10), i64::MAX.overflowing_mul(2), (-7i32).rem_euclid(3));
    println!("{}", u128::MAX / 3);
    std::panic::set_hook(Box::new(|info| eprintln!("hook: {}", info.payload().is::<String>())));
    let caught = std::panic::catch_unwind(|| {
        let empty: Vec<i32> = Vec::new();
        empty[std::env::args().count()]
    });
    println!("caught a panic: {}", caught.is_err());
    let big: Vec<u64> = (0..3_000_000u64).map(|i| i.wrapping_mul(0x9e3779b97f4a7c15)).collect();
    println!("{:x}", big.iter().fold(0u64, |a, b| a.rotate_left(5) ^ b));
    std::io::stderr().write_all(b"to stderr\n").unwrap();
    std::process::exit(17);
}
