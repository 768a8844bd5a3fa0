//! Running a [`Node`] on a row.

use smallvec::SmallVec;

use crate::document::{Array, Datum, Record};
use crate::error::{Error, Result};
use crate::sql::casts::{self, Pathway, typmod};
use crate::sql::context::EvalContext;
use crate::sql::function::Body;
use crate::sql::{io, operators};

use super::array;
use super::node::{Call, Cast, Equality, Node, Set, grow};

/// A value that is borrowed where it already exists.
pub(super) enum Value<'a> {
    Ref(&'a Datum),
    Owned(Datum),
}

impl Value<'_> {
    pub(super) fn as_ref(&self) -> &Datum {
        match self {
            Self::Ref(value) => value,
            Self::Owned(value) => value,
        }
    }

    pub(super) fn into_owned(self) -> Datum {
        match self {
            Self::Ref(value) => value.clone(),
            Self::Owned(value) => value,
        }
    }
}

/// What an expression is run on.
pub(super) struct Frame<'a> {
    pub(super) row: &'a [Datum],
    pub(super) params: &'a [Datum],
    pub(super) context: &'a EvalContext,
}

const NULL: Datum = Datum::Null;

fn boolean<'a>(value: bool) -> Value<'a> {
    Value::Owned(Datum::Bool(value))
}

fn null<'a>() -> Value<'a> {
    Value::Owned(NULL)
}

/// `Some(truth)` or unknown.
fn truth(value: &Datum) -> Result<Option<bool>> {
    match value {
        Datum::Bool(value) => Ok(Some(*value)),
        Datum::Null => Ok(None),
        other => Err(Error::internal(format!("a condition is {other:?}"))),
    }
}

impl<'a> Frame<'a> {
    pub(super) fn eval(&self, node: &'a Node) -> Result<Value<'a>> {
        match node {
            Node::Const(value) => Ok(Value::Ref(value)),
            Node::Column(slot) => {
                self.row.get(*slot).map(Value::Ref).ok_or_else(|| Error::internal("a row has too few columns"))
            }
            Node::Param(index) => match self.params.get(*index) {
                Some(value) => Ok(Value::Ref(value)),
                None => Err(crate::err!(UNDEFINED_PARAMETER, "there is no parameter ${}", index + 1)),
            },
            Node::Compare { comparison, left, right } => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let result = comparison.test(self.context, left.as_ref(), right.as_ref())?;
                Ok(result.map_or_else(null, boolean))
            }
            Node::Call(call) => self.call(call),
            Node::Chain { first, links } => self.chain(first, links),
            Node::Navigate { input, steps, as_text } => self.navigate(input, steps, *as_text),
            Node::Cast { input, cast } => self.cast(input, cast),
            Node::And(terms) => self.connective(terms, false),
            Node::Or(terms) => self.connective(terms, true),
            Node::Not(input) => Ok(match truth(self.eval(input)?.as_ref())? {
                Some(value) => boolean(!value),
                None => null(),
            }),
            Node::IsNull(input, negated) => {
                let value = self.eval(input)?;
                Ok(boolean(match value.as_ref() {
                    // A row is null when all its fields are, and not null when none is.
                    Datum::Record(record) => record.values.iter().all(|field| field.is_null() != *negated),
                    value => value.is_null() != *negated,
                }))
            }
            Node::IsBool(input, asked, negated) => {
                Ok(boolean((truth(self.eval(input)?.as_ref())? == *asked) != *negated))
            }
            Node::IsDistinct { left, right, equal, negated } => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let same = match (left.as_ref().is_null(), right.as_ref().is_null()) {
                    (true, true) => true,
                    (false, false) => self.test(equal, left.as_ref(), right.as_ref())? == Some(true),
                    _ => false,
                };
                Ok(boolean(same == *negated))
            }
            Node::Case { whens, otherwise } => {
                for (condition, result) in whens {
                    if truth(self.eval(condition)?.as_ref())? == Some(true) {
                        return self.eval(result);
                    }
                }
                otherwise.as_deref().map_or_else(|| Ok(null()), |node| self.eval(node))
            }
            Node::Coalesce(args) => {
                for arg in args {
                    let value = self.eval(arg)?;
                    if !value.as_ref().is_null() {
                        return Ok(value);
                    }
                }
                Ok(null())
            }
            Node::NullIf { left, condition } => {
                let value = self.eval(left)?;
                let equal = !value.as_ref().is_null() && truth(self.eval(condition)?.as_ref())? == Some(true);
                Ok(if equal { null() } else { value })
            }
            Node::MinMax { greatest, args, less } => self.min_max(*greatest, args, less),
            Node::AnyAll { all, left, operator, array } => self.any_all(*all, left, operator, array),
            Node::InList { left, list, equal, negated } => self.in_list(left, list, equal, *negated),
            Node::InSet { left, set, has_null, negated } => {
                let value = self.eval(left)?;
                if value.as_ref().is_null() {
                    return Ok(null());
                }
                Ok(match (contains(set, value.as_ref()), has_null) {
                    (true, _) => boolean(!negated),
                    (false, true) => null(),
                    (false, false) => boolean(*negated),
                })
            }
            Node::Array { elements, nested, element } => {
                let values = elements.iter().map(|e| Ok(self.eval(e)?.into_owned())).collect::<Result<Vec<_>>>()?;
                let array = if *nested { array::stack(*element, values)? } else { Array::new(*element, values) };
                Ok(Value::Owned(Datum::Array(Box::new(array))))
            }
            Node::Row { fields, names } => {
                let values = fields.iter().map(|f| Ok(self.eval(f)?.into_owned())).collect::<Result<Vec<_>>>()?;
                Ok(Value::Owned(Datum::Record(Box::new(Record { fields: names.clone(), values }))))
            }
            Node::Field { input, index } => match self.eval(input)? {
                Value::Ref(Datum::Record(record)) => Ok(record.values.get(*index).map_or_else(null, Value::Ref)),
                Value::Owned(Datum::Record(mut record)) => {
                    Ok(Value::Owned(record.values.get_mut(*index).map(std::mem::take).unwrap_or_default()))
                }
                _ => Ok(null()),
            },
            Node::Subscript { input, subscripts } => {
                let value = self.eval(input)?;
                array::subscript(self, value, subscripts)
            }
            Node::Grow(deep) => grow(|| self.eval(deep.node())),
        }
    }

    fn args(&self, nodes: &'a [Node]) -> Result<SmallVec<[Datum; 4]>> {
        let mut args = SmallVec::new();
        for node in nodes {
            args.push(self.eval(node)?.into_owned());
        }
        Ok(args)
    }

    fn call(&self, call: &'a Call) -> Result<Value<'a>> {
        let args = self.args(&call.args)?;
        self.apply(call, &args).map(Value::Owned)
    }

    fn apply(&self, call: &Call, args: &[Datum]) -> Result<Datum> {
        if call.function.strict && args.iter().any(Datum::is_null) {
            return Ok(NULL);
        }
        match call.kernel {
            Some(kernel) => kernel(self.context, args),
            None => self.context.host.call(call.function.name, args),
        }
    }

    fn chain(&self, first: &'a Node, links: &'a [(Call, Node)]) -> Result<Value<'a>> {
        let mut args = [self.eval(first)?.into_owned(), NULL];
        for (call, right) in links {
            args[1] = self.eval(right)?.into_owned();
            args[0] = self.apply(call, &args)?;
        }
        let [value, _] = args;
        Ok(Value::Owned(value))
    }

    fn connective(&self, terms: &'a [Node], decisive: bool) -> Result<Value<'a>> {
        let mut unknown = false;
        for term in terms {
            match truth(self.eval(term)?.as_ref())? {
                Some(value) if value == decisive => return Ok(boolean(decisive)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { null() } else { boolean(!decisive) })
    }

    /// A two-place test; unknown when an operand of a strict one is NULL.
    pub(super) fn test(&self, test: &Equality, left: &Datum, right: &Datum) -> Result<Option<bool>> {
        match test {
            Equality::Fast(comparison) => comparison.test(self.context, left, right),
            Equality::Kernel(_, true) if left.is_null() || right.is_null() => Ok(None),
            Equality::Kernel(kernel, _) => truth(&kernel(self.context, &[left.clone(), right.clone()])?),
        }
    }

    fn min_max(&self, greatest: bool, args: &'a [Node], less: &Equality) -> Result<Value<'a>> {
        let mut best: Option<Value<'a>> = None;
        for arg in args {
            let value = self.eval(arg)?;
            if value.as_ref().is_null() {
                continue;
            }
            let better = match &best {
                None => true,
                Some(best) if greatest => self.test(less, best.as_ref(), value.as_ref())? == Some(true),
                Some(best) => self.test(less, value.as_ref(), best.as_ref())? == Some(true),
            };
            if better {
                best = Some(value);
            }
        }
        Ok(best.unwrap_or_else(null))
    }

    fn any_all(&self, all: bool, left: &'a Node, operator: &Equality, array: &'a Node) -> Result<Value<'a>> {
        let (left, array) = (self.eval(left)?, self.eval(array)?);
        let Datum::Array(array) = array.as_ref() else { return Ok(null()) };
        let mut unknown = false;
        for element in &array.values {
            match self.test(operator, left.as_ref(), element)? {
                Some(value) if value != all => return Ok(boolean(!all)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { null() } else { boolean(all) })
    }

    fn in_list(&self, left: &'a Node, list: &'a [Node], equal: &Equality, negated: bool) -> Result<Value<'a>> {
        let left = self.eval(left)?;
        let mut unknown = false;
        for item in list {
            match self.test(equal, left.as_ref(), self.eval(item)?.as_ref())? {
                Some(true) => return Ok(boolean(!negated)),
                Some(false) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { null() } else { boolean(negated) })
    }

    fn navigate(&self, input: &'a Node, steps: &'a [Node], as_text: bool) -> Result<Value<'a>> {
        let value = self.eval(input)?;
        let Datum::Jsonb(document) = value.as_ref() else { return Ok(null()) };
        let mut at = document.as_ref();
        for step in steps {
            let next = match self.eval(step)?.as_ref() {
                Datum::Text(key) => operators::json::object_field(at, key),
                Datum::Int4(index) => operators::json::array_element(at, i64::from(*index)),
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => return Ok(null()),
            }
        }
        Ok(Value::Owned(if as_text { operators::json::as_text(at) } else { Datum::Jsonb(at.to_owned()) }))
    }

    fn cast(&self, input: &'a Node, cast: &'a Cast) -> Result<Value<'a>> {
        let value = self.eval(input)?;
        if let Cast::Domain { domain } = cast {
            crate::sql::domain::check(*domain, value.as_ref(), self.context)?;
            return Ok(value);
        }
        if value.as_ref().is_null() {
            return Ok(null());
        }
        match cast {
            Cast::Domain { .. } => Ok(value),
            Cast::Relabel { to } => Ok(match value.as_ref() {
                Datum::Int2(_) | Datum::Int4(_) | Datum::Oid(_) | Datum::Array(_) | Datum::Inet(_) => {
                    Value::Owned(casts::relabelled(value.into_owned(), *to))
                }
                _ => value,
            }),
            Cast::InOut { from, to } => io::convert(value.as_ref(), *from, *to, self.context).map(Value::Owned),
            Cast::Typmod { to, explicit } => typmod::apply(value.into_owned(), *to, *explicit).map(Value::Owned),
            Cast::Array { pathway, from, to } => {
                let Datum::Array(mut array) = value.into_owned() else { return Ok(null()) };
                array.element = to.oid;
                for element in &mut array.values {
                    if !element.is_null() {
                        *element = self.convert(std::mem::take(element), *pathway, *from, *to)?;
                    }
                }
                Ok(Value::Owned(Datum::Array(array)))
            }
        }
    }

    fn convert(
        &self,
        value: Datum,
        pathway: Pathway,
        from: crate::document::Type,
        to: crate::document::Type,
    ) -> Result<Datum> {
        let value = match pathway {
            Pathway::Relabel | Pathway::Array => casts::relabelled(value, to),
            Pathway::InOut => return io::convert(&value, from, to, self.context),
            Pathway::Function(function) => match function.body {
                Body::Scalar(kernel) => casts::relabelled(kernel(self.context, &[value])?, to),
                _ => return Err(Error::internal("a cast function is not scalar")),
            },
        };
        typmod::apply(value, to, true)
    }

    /// An integer that a subscript computes; `None` when NULL.
    pub(super) fn integer(&self, node: &'a Node) -> Result<Option<i32>> {
        match self.eval(node)?.as_ref() {
            Datum::Int4(n) => Ok(Some(*n)),
            Datum::Int2(n) => Ok(Some(i32::from(*n))),
            Datum::Null => Ok(None),
            other => Err(Error::internal(format!("a subscript is {other:?}"))),
        }
    }
}

/// Values that a set of integers can stand for.
pub(super) fn integer_key(value: &Datum) -> Option<i64> {
    match value {
        Datum::Int2(n) => Some(i64::from(*n)),
        Datum::Int4(n) => Some(i64::from(*n)),
        Datum::Int8(n) => Some(*n),
        Datum::Oid(n) => Some(i64::from(*n)),
        Datum::Date(n) => Some(i64::from(*n)),
        _ => None,
    }
}

/// Bytes that are equal where the values are.
pub(super) fn sort_key(value: &Datum) -> Vec<u8> {
    let mut key = Vec::new();
    crate::document::sort_key(value, &mut key);
    key
}

fn contains(set: &Set, value: &Datum) -> bool {
    match (set, value) {
        (Set::Integers(set), value) => integer_key(value).is_some_and(|key| set.contains(&key)),
        (Set::Texts(set), Datum::Text(text)) => set.contains(&**text),
        (Set::Texts(_), _) => false,
        (Set::Keys(set), value) => set.contains(&sort_key(value)),
    }
}
