//! A hybrid: a Linux program that uses Hedron where there is one.
use hedra::{now, Error, Hedron};

fn main() {
    let Some(mut hedron) = Hedron::detect() else {
        println!("Hello from plain Linux");
        return;
    };
    hedron.print("Hello from my hybrid in Rust\n").expect("stdout's portal answers");
    // An early error leaves nothing switched on: println! is a Linux call right after it.
    let semaphore = hedron.semaphore(0).expect("there is room for a semaphore");
    assert_eq!(semaphore.down_until(&mut hedron, now()), Err(Error::COM_TIM));
    println!("and Linux calls still work");
}
