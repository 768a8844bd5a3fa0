"""SQLAlchemy 2: Core, ORM, reflection; Alembic's comparison of a model with the database. DSN in the first argument."""

import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, Numeric, String, Table, Text, UniqueConstraint,
                        create_engine, func, inspect, select, text)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

engine = create_engine(sys.argv[1].replace("postgresql://", "postgresql+psycopg://"))


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    profile: Mapped[dict] = mapped_column(JSONB, default=dict)
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (CheckConstraint("price >= 0", name="book_price_check"), Index("book_title_idx", "title"))
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    price: Mapped[float] = mapped_column(Numeric(8, 2))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id", ondelete="CASCADE"))
    author: Mapped[Author] = relationship(back_populates="books")


Base.metadata.drop_all(engine)
Base.metadata.create_all(engine)

with Session(engine) as session:
    session.add_all([
        Author(name="Ada", profile={"born": 1815, "fields": ["mathematics"]},
               books=[Book(title="Notes", price=12.5, tags=["engine", "numbers"]), Book(title="Letters", price=3, tags=[])]),
        Author(name="Alan", profile={"born": 1912}, books=[Book(title="Machines", price=20, tags=["logic"])]),
    ])
    session.commit()
    rows = session.execute(select(Author.name, func.count(Book.id), func.sum(Book.price)).join(Book).group_by(Author.name).order_by(Author.name)).all()
    assert [(n, c, str(p)) for n, c, p in rows] == [("Ada", 2, "15.50"), ("Alan", 1, "20.00")], rows
    born = session.scalars(select(Author).where(Author.profile["born"].as_integer() > 1900)).all()
    assert [a.name for a in born] == ["Alan"]
    assert session.scalar(select(func.count()).where(Author.profile.contains({"fields": ["mathematics"]}))) == 1
    assert session.scalars(select(Book.title).where(Book.tags.contains(["logic"]))).all() == ["Machines"]
    ada = session.scalars(select(Author).options(selectinload(Author.books)).where(Author.name == "Ada")).one()
    ada.books[0].price = 13
    ada.profile = {**ada.profile, "born": 1816}
    session.commit()
    assert session.scalar(select(Author.profile["born"].astext).where(Author.name == "Ada")) == "1816"
    ranked = select(Book.title, func.row_number().over(partition_by=Book.author_id, order_by=Book.price.desc()).label("n")).subquery()
    assert sorted(session.scalars(select(ranked.c.title).where(ranked.c.n == 1))) == ["Machines", "Notes"]
    session.delete(ada)
    session.commit()
    assert session.scalar(select(func.count(Book.id))) == 1

with engine.begin() as connection:
    upsert = insert(Author).values(id=2, name="Alan", profile={})
    connection.execute(upsert.on_conflict_do_update(index_elements=[Author.name], set_={"profile": {"updated": True}}))
    assert connection.scalar(select(Author.profile).where(Author.name == "Alan")) == {"updated": True}

seen = inspect(engine)
assert seen.get_table_names() == ["author", "book"]
assert [c["name"] for c in seen.get_columns("book")] == ["id", "title", "price", "tags", "author_id"]
assert seen.get_pk_constraint("book") ["constrained_columns"] == ["id"]
[key] = seen.get_foreign_keys("book")
assert (key["constrained_columns"], key["referred_table"], key["options"]) == (["author_id"], "author", {"ondelete": "CASCADE"}), key
assert [i["name"] for i in seen.get_indexes("book")] == ["book_title_idx"]
assert [c["name"] for c in seen.get_check_constraints("book")] == ["book_price_check"]
assert [c["column_names"] for c in seen.get_unique_constraints("author")] == [["name"]]
reflected = MetaData()
reflected.reflect(engine)
assert reflected.tables["book"].c.price.type.precision == 8

with engine.begin() as connection:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, Base.metadata) == [], compare_metadata(context, Base.metadata)
    change = Operations(context)
    change.add_column("book", Column("isbn", String(13)))
    change.create_index("book_isbn_idx", "book", ["isbn"], unique=True)
    change.alter_column("book", "title", type_=String(200), existing_type=Text(), nullable=False)
    change.create_table("publisher", Column("id", Integer, primary_key=True), Column("name", Text, nullable=False), UniqueConstraint("name"))
    change.execute(text("INSERT INTO publisher (name) VALUES ('Press')"))
    kinds = sorted(step[0] if isinstance(step, tuple) else step[0][0] for step in compare_metadata(context, Base.metadata))
    assert kinds == ["modify_type", "remove_column", "remove_index", "remove_table"], kinds
    change.drop_table("publisher")
    change.drop_column("book", "isbn")
Base.metadata.drop_all(engine)
print("SQLAlchemy and Alembic: passed")
