//! What starting a program anew for every batch costs, said once.

use std::time::Duration;

use zsad_core::Environment;

use super::Program;

/// Less than this for a batch is no reason to speak.
const WORTH: Duration = Duration::from_millis(300);

/// Says how long a batch took, where most of it passed before the program read it, or nobody knows; once for each program.
pub(super) fn tell(program: &Program, env: &Environment, total: Duration, before_reading: Option<Duration>) {
    let Some(line) = line(total, before_reading) else { return };
    let command = program.command.join(" ");
    // The memo makes it once.
    let said = env.memo.get_or_make(&format!("external start-up of {command}"), || {
        tracing::warn!("external: `{command}`: {line}");
        Ok(())
    });
    drop(said);
}

fn line(total: Duration, before_reading: Option<Duration>) -> Option<String> {
    let seconds = total.as_secs_f64();
    match before_reading {
        _ if total < WORTH => None,
        Some(before) if before < total / 2 => None,
        Some(before) => Some(format!(
            "{seconds:.1} s a batch, mostly start-up ({:.1} s before the batch is read); hint: persistent: true starts it once",
            before.as_secs_f64()
        )),
        None => Some(format!("{seconds:.1} s a batch, its start included; hint: persistent: true starts it once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_up_is_spoken_of_where_it_is_most_of_a_long_batch() {
        let ms = Duration::from_millis;
        let said = line(ms(1700), Some(ms(1500))).unwrap();
        assert!(said.starts_with("1.7 s a batch, mostly start-up (1.5 s before the batch is read); hint: persistent"));
        assert!(line(ms(1700), None).unwrap().contains("its start included"));
        assert_eq!((line(ms(1700), Some(ms(200))), line(ms(200), Some(ms(190)))), (None, None));
    }
}
