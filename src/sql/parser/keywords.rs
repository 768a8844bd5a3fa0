//! PostgreSQL's key words and their categories (the manual's Appendix C), which decide where a word may be a name.
//!
//! Words of other dialects that sqlparser knows are no key words here: the lexer gives them `NoKeyword`.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

/// Where a key word may stand as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    /// Anywhere.
    Unreserved,
    /// As a column, not as a function or type.
    ColumnName,
    /// As a function or type, not as a column.
    TypeOrFunction,
    /// Nowhere but after AS.
    Reserved,
}

/// One key word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) keyword: Keyword,
    pub(super) category: Category,
    /// May be a column label without AS.
    pub(super) bare_label: bool,
}

/// A trailing `!` marks words that need AS as a label.
const UNRESERVED: &str = "abort absent absolute access action add admin after aggregate also alter always asensitive \
    assertion assignment at atomic attach attribute backward before begin breadth by cache call called cascade cascaded \
    catalog chain characteristics checkpoint class close cluster columns comment comments commit committed compression \
    conditional configuration conflict connection constraints content continue conversion copy cost csv cube current \
    cursor cycle data database day! deallocate declare defaults deferred definer delete delimiter delimiters depends \
    depth detach dictionary disable discard document domain double drop each empty enable encoding encrypted enforced \
    enum error escape event exclude excluding exclusive execute explain expression extension external family filter! \
    finalize first following force format forward function functions generated global granted groups handler header hold \
    hour! identity if immediate immutable implicit import include including increment indent index indexes inherit \
    inherits inline input insensitive insert instead invoker isolation keep key keys label language large last leakproof \
    level listen load local location lock locked logged mapping match matched materialized maxvalue merge method minute! \
    minvalue mode month! move name names nested new next nfc nfd nfkc nfkd no normalized nothing notify nowait nulls \
    object objects of off oids old omit operator option options ordinality others over! overriding owned owner parallel \
    parameter parser partial partition passing password path period plan plans policy preceding prepare prepared \
    preserve prior privileges procedural procedure procedures program publication quote quotes range read reassign \
    recursive ref referencing refresh reindex relative release rename repeatable replace replica reset restart restrict \
    return returns revoke role rollback rollup routine routines rows rule savepoint scalar schema schemas scroll search \
    second! security sequence sequences serializable server session set sets share show simple skip snapshot source sql \
    stable standalone start statement statistics stdin stdout storage stored strict string strip subscription support \
    sysid system tables tablespace target temp template temporary text ties transaction transform trigger truncate \
    trusted type types uescape unbounded uncommitted unconditional unencrypted unknown unlisten unlogged until update \
    vacuum valid validate validator value varying! version view views virtual volatile whitespace within! without! work \
    wrapper write xml year! yes zone";
const COLUMN_NAME: &str = "between bigint bit boolean char! character! coalesce dec decimal exists extract float \
    greatest grouping inout int integer interval json json_array json_arrayagg json_exists json_object json_objectagg \
    json_query json_scalar json_serialize json_table json_value least merge_action national nchar none normalize nullif \
    numeric out overlay position precision! real row setof smallint substring time timestamp treat trim values varchar \
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";
const TYPE_OR_FUNCTION: &str = "authorization binary collation concurrently cross current_schema freeze full ilike inner \
    is isnull! join left like natural notnull! outer overlaps! right similar tablesample verbose";
const RESERVED: &str = "all analyse analyze and any array! as! asc asymmetric both case cast check collate column \
    constraint create! current_catalog current_date current_role current_time current_timestamp current_user default \
    deferrable desc distinct do else end except! false fetch! for! foreign from! grant! group! having! in initially \
    intersect! into! lateral leading limit! localtime localtimestamp not null offset! on! only or order! placing primary \
    references returning! select session_user some symmetric system_user table then to! trailing true union! unique user \
    using variadic when where! window! with!";

static WORDS: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for (list, category) in [
        (UNRESERVED, Category::Unreserved),
        (COLUMN_NAME, Category::ColumnName),
        (TYPE_OR_FUNCTION, Category::TypeOrFunction),
        (RESERVED, Category::Reserved),
    ] {
        for entry in list.split_whitespace() {
            let word = entry.trim_end_matches('!');
            let keyword = match Token::make_keyword(word) {
                // COLLATE is an infix operator of ours: sqlparser's loop would bind it before the prefix operators.
                Token::Word(w) if word != "collate" => w.keyword,
                _ => Keyword::NoKeyword,
            };
            words.insert(word, Word { keyword, category, bare_label: !entry.ends_with('!') });
        }
    }
    words
});

/// The key word that a folded word is.
pub(super) fn lookup(word: &str) -> Option<Word> {
    WORDS.get(word).copied()
}

/// Whether an unquoted, folded word has to be quoted when it is written as a name (as `quote_ident` decides).
pub fn needs_quotes(word: &str) -> bool {
    lookup(word).is_some_and(|w| w.category != Category::Unreserved)
}

/// Whether an unquoted, folded word can be no column's name.
pub(super) fn is_reserved(word: &str) -> bool {
    lookup(word).is_some_and(|w| matches!(w.category, Category::Reserved | Category::TypeOrFunction))
}

/// A key word as pg_get_keywords shows it.
#[derive(Clone, Copy, Debug)]
pub struct KeyWord {
    /// The word.
    pub word: &'static str,
    /// `U`, `C`, `T` or `R`.
    pub code: &'static str,
    /// Its category in words.
    pub description: &'static str,
    /// May be a column label without AS.
    pub bare_label: bool,
}

/// All key words in alphabetical order.
pub fn key_words() -> Vec<KeyWord> {
    let mut all: Vec<KeyWord> = WORDS
        .iter()
        .map(|(word, w)| {
            let (code, description) = match w.category {
                Category::Unreserved => ("U", "unreserved"),
                Category::ColumnName => ("C", "unreserved (cannot be function or type name)"),
                Category::TypeOrFunction => ("T", "reserved (can be function or type name)"),
                Category::Reserved => ("R", "reserved"),
            };
            KeyWord { word, code, description, bare_label: w.bare_label }
        })
        .collect();
    all.sort_unstable_by_key(|w| w.word);
    all
}
