CREATE TABLE books (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title  text   NOT NULL UNIQUE,
    copies integer NOT NULL CHECK (copies >= 0)
);

CREATE TABLE loans (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_id  bigint NOT NULL REFERENCES books (id),
    reader   text   NOT NULL,
    lent_at  timestamptz NOT NULL DEFAULT now(),
    returned boolean NOT NULL DEFAULT false
);
