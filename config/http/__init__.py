"""What all viewsets share: viewsets, paging, fields, error bodies, middleware and the OpenAPI document."""
