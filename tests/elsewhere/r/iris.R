# The helpers of fastnet.R on flowers: pipes, factors in and out, models in files of saveRDS, functional models.

source("fastnet.R")
source("show.R")

x <- scale(as.matrix(iris[, 1:4]))
network <- keras_model_sequential() %>%
  layer_dense(16, activation = "relu") %>%
  layer_batch_normalization() %>%
  layer_dense(3, activation = "softmax")
network %>% compile(optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = "accuracy")
history <- network %>% fit(x, iris$Species, epochs = 100, verbose = 0, validation_data = list(x, iris$Species))
stopifnot(identical(names(as.data.frame(history)), c("loss", "accuracy", "val_loss", "val_accuracy")))
stopifnot(nrow(as.data.frame(history)) == 100)
plot(history)
found <- network %>% predict_classes(x, levels(iris$Species))
stopifnot(is.factor(found), identical(levels(found), levels(iris$Species)), mean(found == iris$Species) > 0.9)
stopifnot(all.equal(mean(found == iris$Species), evaluate(network, x, iris$Species, verbose = 0)[["accuracy"]]))
stopifnot(identical(to_categorical(iris$Species)[51, ], c(0, 1, 0)))
stopifnot(identical(dim(to_categorical(factor("b", levels = c("a", "b", "c")))), c(1L, 3L)))

saveRDS(list(network = serialize_model(network), levels = levels(iris$Species)), "iris.rds")
saved <- readRDS("iris.rds")
again <- unserialize_model(saved$network)
stopifnot(identical(predict(again, x, verbose = 0), predict(network, x, verbose = 0)))
stopifnot(identical(predict_classes(again, x, saved$levels), found))
for (model in list(again, network)) {
  show("continued", as.data.frame(fit(model, x, iris$Species, shuffle = FALSE, verbose = 0)))
}
stopifnot(length(list.files(tempdir(), "safetensors")) == 0)
saveRDS(network, "pointer.rds")
pointer <- readRDS("pointer.rds")
for (use in list(predict, predict_classes, evaluate, fit)) {
  stopifnot(grepl("serialize_model", tryCatch(use(pointer, x), error = conditionMessage)))
}

input <- layer_input(shape = c(4))
output <- input |> layer_dense(5, activation = "relu") |> layer_leaky_re_lu() |> layer_dense(units = 1)
keras_model(input, output) |> summary()
adam <- optimizer_adam(learning_rate = 0.01)
network |> compile(adam, loss_categorical_crossentropy(), metrics = list(metric_auc(num_thresholds = 50)))
stop_early <- callback_early_stopping(patience = 2)
network |> fit(x, to_categorical(iris$Species), verbose = 0,
               validation_data = list(x = x, y = to_categorical(iris["Species"])),
               callbacks = list(stop_early, callback_reduce_lr_on_plateau("loss")))
stopifnot(inherits(optimizer_rmsprop(), "fastnet.optimizers.rmsprop.RMSprop"))
layer_dense(units = 1, kernel_regularizer = regularizer_l1_l2(0.1, 0.2), kernel_constraint = constraint_max_norm(2),
            kernel_initializer = initializer_he_normal(seed = 1))
message <- tryCatch(fit(network, iris, iris$Species), error = conditionMessage)
stopifnot(grepl("column Species has no numbers", message))
network |> fit(iris[1, 1:4], to_categorical(iris$Species[1]), verbose = 0)
keras_model_sequential(list(layer_flatten(input_shape = c(2, 2)), layer_dense(units = 1)))
