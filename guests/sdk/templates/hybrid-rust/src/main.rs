//! A hybrid: a Linux program that uses Hedron where there is one.
use hedra::{sel, Error, Hedron};

fn main() {
    let Some(mut hedron) = Hedron::detect() else {
        println!("Hello from plain Linux");
        return;
    };
    hedron.print("Hello from my hybrid in Rust\n").expect("stdout's portal answers");
    // An early error leaves nothing switched on: println! is a Linux call right after it.
    assert_eq!(hedron.down(sel::FREE + 50, 0), Err(Error::BAD_CAP));
    println!("and Linux calls still work");
}
