//! The lines of a tree before a name.

/// The maximum length of the lines, in characters. Longer ones are cut at their beginning.
const MAX_PREFIX: usize = 40;

/// A place in a tree: the lines before it, and whether it is the last below its parent.
#[derive(Debug, Clone, Default)]
pub(super) struct Branch {
    prefix: String,
    is_last: bool,
}

impl Branch {
    /// Returns the place of a child of the root.
    pub(super) fn root(is_last: bool) -> Branch {
        Branch { prefix: String::new(), is_last }
    }

    /// Returns the place of a child of this place.
    pub(super) fn child(&self, is_last: bool) -> Branch {
        Branch { prefix: self.below(), is_last }
    }

    /// Makes this the last place below its parent.
    pub(super) fn set_last(&mut self) {
        self.is_last = true;
    }

    /// Returns the lines before the name.
    pub(super) fn lead(&self) -> String {
        self.prefix.clone() + if self.is_last { "└─ " } else { "├─ " }
    }

    /// Returns the lines before what is below the name.
    pub(super) fn below(&self) -> String {
        let prefix = self.prefix.clone() + if self.is_last { "   " } else { "│  " };
        let length = prefix.chars().count();
        match length <= MAX_PREFIX {
            true => prefix,
            false => format!("…{}", prefix.chars().skip(length - MAX_PREFIX + 1).collect::<String>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_branches_stay_short() {
        let mut branch = Branch::root(false);
        assert_eq!((branch.lead().as_str(), branch.below().as_str()), ("├─ ", "│  "));
        assert_eq!(branch.child(true).lead(), "│  └─ ");
        for _ in 0..1000 {
            branch = branch.child(false);
        }
        assert_eq!(branch.below().chars().count(), MAX_PREFIX);
        assert!(branch.lead().starts_with('…'));
    }
}
