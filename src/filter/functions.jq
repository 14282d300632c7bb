# Functions of jq that jaq does not have, or has otherwise.

def toarray: if isarray then . else [.] end;
def leaf_paths: paths(scalars);
def join($s):
  reduce .[] as $x (null;
    (if . == null then "" else . + $s end) + (if $x == null then "" else $x | tostring end)) // "";
def ascii: [.] | implode;
def trimstr($s): ltrimstr($s) | rtrimstr($s);

def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] = $row);
def INDEX(f): INDEX(.[]; f);

def @tsv: tsv_row;
def @csv: csv_row;
