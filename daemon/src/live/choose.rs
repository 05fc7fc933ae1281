//! Finds which of several names somebody means. It knows no port and no device.

/// The index of the name that `wanted` means: the one that equals it, or the only one that contains
/// it, without regard to case.
///
/// # Errors
/// No name or several names contain it; the error lists them.
pub fn choose<'a>(
    what: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    wanted: &str,
) -> Result<usize, String> {
    if let Some(place) = names.clone().position(|name| name == wanted) {
        return Ok(place);
    }
    let part = wanted.to_lowercase();
    let is_like = |name: &&str| !part.is_empty() && name.to_lowercase().contains(&part);
    let alike: Vec<&str> = names.clone().filter(is_like).collect();
    match alike.as_slice() {
        [_] => Ok(names.clone().position(|name| is_like(&name)).unwrap_or_default()),
        [] => {
            let there: Vec<&str> = names.collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            Err(format!("there is no {what} {wanted:?}; there are: {there}"))
        }
        several => {
            let several = several.join(", ");
            Err(format!("{wanted:?} is a part of several names: {several}; give more of it"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_part_that_only_one_has() {
        let names = ["Nord Stage 3", "Nord", "Keystation 49"];
        let place = |wanted| choose("port", names.iter().copied(), wanted);
        assert_eq!(place("Nord"), Ok(1));
        assert_eq!(place("stage"), Ok(0));
        assert_eq!(place("KEY"), Ok(2));
        let several = place("nord").unwrap_err();
        assert!(several.contains("Nord Stage 3, Nord;"), "{several}");
        let none = place("Korg").unwrap_err();
        assert_eq!(none, "there is no port \"Korg\"; there are: Nord Stage 3, Nord, Keystation 49");
        assert!(place("").is_err());
        assert!(choose("port", [].into_iter(), "x").is_err_and(|e| e.ends_with("none")));
    }
}
