-- name: BookByTitle :one
SELECT * FROM books WHERE title = $1;

-- name: TakeCopy :execrows
UPDATE books SET copies = copies - 1 WHERE id = $1 AND copies > 0;

-- name: AddLoan :exec
INSERT INTO loans (book_id, reader) VALUES ($1, $2);

-- name: LoansOf :many
SELECT books.title, loans.returned
FROM loans JOIN books ON books.id = loans.book_id
WHERE loans.reader = $1
ORDER BY books.title;
