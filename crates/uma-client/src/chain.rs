use std::error::Error;
use std::fmt;

/// An error and its causes on one line, for logs and for the one who started a program.
///
/// ```
/// use uma_client::Chain;
///
/// let io = std::io::Error::other("the disk is full");
/// assert_eq!(Chain(&io).to_string(), "the disk is full");
/// ```
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "it is made where it is shown")]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors show their causes themselves.
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            cause = error.source();
        }
        f.write_str(&line.replace(['\n', '\r'], " "))
    }
}
