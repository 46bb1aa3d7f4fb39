//! A hyperapp: `main` is the program, its result the exit status.
#![no_std]
#![no_main]
use core::fmt::Write;
use hedra::Hedron;

hedra::entry!(main);

fn main(hedron: &mut Hedron) -> u8 {
    let answer = 42;
    match writeln!(hedron, "Hello from my hyperapp in Rust: {answer}") {
        Ok(()) => 0,
        Err(_) => 1,
    }
}
