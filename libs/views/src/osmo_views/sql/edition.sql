-- How far the views are, and which transaction brought them there: views that were built anew are there by another one.
SELECT seq, xmin::text::bigint AS written_by FROM checkpoints WHERE projection = $1
