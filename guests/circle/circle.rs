//! Circles: an unmodified Linux program with Rust's standard library. Prints the figures of each circle whose radius is an argument.

use std::{env, f64::consts::PI, fmt, process::ExitCode};

struct Circle {
    radius: f64,
}

impl Circle {
    fn parse(text: &str) -> Result<Circle, String> {
        match text.parse::<f64>() {
            Ok(radius) if radius.is_finite() && radius >= 0.0 => Ok(Circle { radius }),
            Ok(radius) => Err(format!("{radius} is no radius")),
            Err(error) => Err(format!("{text:?}: {error}")),
        }
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let r = self.radius;
        write!(out, "radius {r:>12.4}  circumference {:>14.6}  area {:>16.8}", 2.0 * PI * r, PI * r * r)
    }
}

fn main() -> ExitCode {
    let mut radii: Vec<String> = env::args().skip(1).collect();
    if radii.is_empty() {
        radii = ["0.5", "1", "10.123"].map(String::from).to_vec();
    }
    let (circles, errors): (Vec<_>, Vec<_>) = radii.iter().map(|text| Circle::parse(text)).partition(Result::is_ok);
    let mut circles: Vec<Circle> = circles.into_iter().flatten().collect();
    circles.sort_by(|a, b| a.radius.total_cmp(&b.radius));
    for circle in &circles {
        println!("{circle}");
    }
    println!("{} circles, total area {:e}", circles.len(), circles.iter().map(|c| PI * c.radius * c.radius).sum::<f64>());
    for error in errors.iter().filter_map(|result| result.as_ref().err()) {
        eprintln!("circle: {error}");
    }
    if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) }
}
