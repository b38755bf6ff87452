-- name: ImportBooks :copyfrom
INSERT INTO books (title, copies) VALUES ($1, $2);

-- name: ReturnBooks :batchexec
WITH loan AS (
    UPDATE loans SET returned = true
    WHERE loans.book_id = @book_id AND loans.reader = @reader AND NOT loans.returned
    RETURNING loans.book_id
)
UPDATE books SET copies = copies + 1 FROM loan WHERE books.id = loan.book_id;

-- name: CopiesOf :batchone
SELECT copies FROM books WHERE title = $1;
